//! Which of those who wait goes on, and what goes wrong.

use eventlog::Position;
use jiff::SignedDuration;
use rand::{RngExt, seq::IndexedRandom};

use super::world::World;
use crate::machine::{Machine, Waiting};

impl World {
    /// Lets one of those who wait go on; false if nobody does.
    pub(super) fn go_on(&mut self, machine: &mut Machine) -> bool {
        let Waiting { appends, keys, turns } = machine.waiting();
        let messages = self.site.wire.waiting();
        let who: Vec<u8> = [(0, appends), (1, keys), (2, turns), (3, messages)]
            .into_iter()
            .filter(|(_, waiting)| *waiting > 0)
            .map(|(who, _)| who)
            .collect();
        match who.choose(&mut self.chance) {
            None => return false,
            Some(0) => {
                let most = self.chance.random_range(1..=appends);
                let done = machine.append(most);
                self.note(format!("log: {done} appends"));
            }
            Some(1) => {
                let most = self.chance.random_range(1..=keys);
                let done = machine.keys(most);
                self.note(format!("vault: {done} jobs"));
            }
            Some(2) => {
                let which = self.chance.random_range(0..turns);
                self.note(format!("work {which} of {turns}"));
                machine.turn(which);
            }
            Some(_) => self.pass(messages),
        }
        true
    }

    /// Brings a message, whichever, or loses it.
    fn pass(&mut self, messages: usize) {
        let unsure = self.plan.has("bus-loss");
        let which = if unsure { self.chance.random_range(0..messages) } else { 0 };
        let lost = unsure && self.chance.random_bool(0.2);
        if lost {
            self.fault("message lost");
        }
        self.note(format!("message {which} of {messages}, lost: {lost}"));
        self.site.wire.pass(which, lost);
    }

    /// Faults that are not at the end of a life.
    pub(super) fn may_go_wrong(&mut self, machine: &mut Machine) {
        if self.plan.has("disk-full") && self.chance.random_bool(0.02) {
            let full = self.chance.random_bool(0.3);
            self.disk.set_full(full);
            self.note(format!("disk full: {full}"));
        }
        if self.plan.has("disk-error") && self.chance.random_bool(0.02) {
            let after = self.chance_below(30);
            self.note(format!("disk error after {after}"));
            self.disk.fail_after(Some(after));
        }
        if self.plan.has("clock-step") && self.chance.random_bool(0.01) {
            let seconds = [-90_000_i64, -3_600, -5, 5, 3_600, 90_000][self.chance.random_range(0..6)];
            self.off += SignedDuration::from_secs(seconds);
            self.fault("clock-step");
            self.note(format!("clock: {seconds} s"));
        }
        if self.plan.has("bus-loss") && self.chance.random_bool(0.005) {
            self.fault("bus disconnected");
            self.note("bus disconnected");
            self.site.wire.interrupt();
        }
        if self.plan.has("bus-forgery") && self.chance.random_bool(0.02) {
            self.forge(machine);
        }
    }

    /// Brings a message that nobody published, about an event that may be there or not.
    fn forge(&mut self, machine: &Machine) {
        let (_, head) = machine.reached();
        let position = Position(match self.chance.random_range(0..3) {
            0 => u64::MAX,
            1 => head.0 + 1 + self.chance.random_range(0..9),
            _ => self.chance.random_range(0..=head.0),
        });
        if self.site.wire.forge(position) {
            self.fault("bus-forgery");
            self.note(format!("forged: {position}, the log ends at {head}"));
        }
    }
}
