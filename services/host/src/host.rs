//! What a context gets: what there is in its process.

use std::{collections::BTreeMap, path::PathBuf};

use domain::{
    Decider, GroupId, ScheduleError,
    group::{MeetingMode, Series},
    meeting::Plan,
};
use eventlog::{AllStreams, Position, Streams};
use jiff::civil::Date;
use tokio::sync::watch;
use vault::{Names, Vault};
use web::{Audit, Authenticator, Door, Imports, May, Signer};

use crate::{Boards, Outgoing, Topic, Views};

/// What there is in a process, for its contexts.
#[derive(Debug)]
pub struct Host {
    /// Who calls, what time it is, and where long work is done.
    pub authenticator: Authenticator,
    /// What holds for all who ask without a token.
    pub door: Door,
    /// The log, and the streams of every kind in it.
    pub streams: AllStreams,
    /// Where it is written down who was shown whom.
    pub audit: Audit,
    /// People's keys, and what signs for this server; none where no context needs them.
    pub keys: Option<(Vault, Signer)>,
    /// Names of members, to search by.
    pub names: Names,
    /// Up to where they are known.
    pub named: watch::Sender<Position>,
    /// The views of all contexts.
    pub views: Views,
    /// What there is to do, as the queues of all contexts find it.
    pub boards: Boards,
    /// What of all views can be followed.
    pub topics: Vec<&'static Topic>,
    /// Every operation of all contexts.
    pub operations: Vec<May>,
    /// The data directory.
    pub data: PathBuf,
    /// What the calendar of a group has on some days.
    pub planned: Planned,
    /// How many days ahead meetings are planned; 0: none are.
    pub plan_days: u16,
    /// Where erasures are written as well.
    pub erasures_file: Option<PathBuf>,
    /// What may leave the house, and by which way.
    pub outgoing: Outgoing,
    /// Where secrets come from: chance is an argument.
    pub new_secret: fn() -> [u8; 32],
}

/// The meetings that a group's calendar has, by their place in the series, from one day to another.
pub type Planned = fn(&Series, (GroupId, MeetingMode), (Date, Date)) -> Result<BTreeMap<Date, Plan>, ScheduleError>;

impl Host {
    /// The streams of one kind.
    pub fn of<D: Decider>(&self) -> Streams<D> {
        self.streams.of()
    }

    /// What imports need, for a context that needs people's keys.
    pub fn imports(&self) -> Imports {
        Imports { audit: self.audit.clone(), people: self.of().into(), vault: self.vault().clone() }
    }

    /// People's keys, for a context that says that it needs them.
    pub fn vault(&self) -> &Vault {
        &self.keys.as_ref().expect("a context that needs people's keys says so").0
    }

    /// What signs for this server, for the same.
    pub fn signer(&self) -> &Signer {
        &self.keys.as_ref().expect("a context that needs people's keys says so").1
    }
}
