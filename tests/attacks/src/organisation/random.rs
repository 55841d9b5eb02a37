//! Organisations of chance: a port of `data/gen_peer.py`, with its distributions but another generator.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Attendance, Change, Code, Codes, GROUPS_MAX, GROUPS_MIN, Group, GroupIndex, Member, MemberId, Month, Organisation,
    Origin, Referral, State,
    chance::{Chance, whole},
};

const REGIONS: [(&str, &[&str]); 3] =
    [("North", &["Ashby", "Brook", "Cole"]), ("South", &["Dale", "Elm", "Ferry"]), ("West", &["Glen", "Hythe"])];
const AREAS: usize = 8;
const AGE_BANDS: [&str; 6] = ["18-24", "25-34", "35-44", "45-54", "55-64", "65+"];
const AGE_WEIGHTS: [f64; 6] = [9.0, 20.0, 24.0, 22.0, 16.0, 9.0];
const GENDERS: [&str; 4] = ["woman", "man", "other", "not said"];
const GENDER_WEIGHTS: [f64; 4] = [55.0, 37.0, 4.0, 4.0];
const PROGRAMMES: [&str; 4] = ["Addiction", "Bereavement", "Carers", "Mood"];
const PROGRAMME_WEIGHTS: [f64; 4] = [18.0, 10.0, 12.0, 20.0];
const STAGES: [&str; 4] = ["referred", "accepted", "attended", "completed"];
const STAGE_WEIGHTS: [f64; 4] = [22.0, 18.0, 25.0, 35.0];

const MONTHS: i32 = 12;
/// Those of the first report.
const MONTHS_AT_FIRST: i32 = 9;
/// Who came before it is old enough to be merged or erased.
const JULY: Month = Month(6);
const SEPTEMBER: Month = Month(8);

impl Organisation {
    /// The organisation of this seed.
    ///
    /// # Panics
    /// If there are not [`GROUPS_MIN`] to [`GROUPS_MAX`] groups.
    pub fn random(seed: u64, groups: u16) -> Self {
        assert!((GROUPS_MIN..=GROUPS_MAX).contains(&groups), "{GROUPS_MIN} to {GROUPS_MAX} groups, not {groups}");
        let mut draft = Draft::new(seed);
        for index in 0..groups {
            draft.open(index);
        }
        let first = draft.state(MONTHS_AT_FIRST);
        draft.four_months_later();
        let second = draft.state(MONTHS);
        draft.a_week_later();
        let third = draft.state(MONTHS);
        Self {
            origin: Origin::Seed(seed),
            codes: codes(draft.groups),
            states: [first, second, third],
            changes: draft.changes,
        }
    }
}

fn codes(groups: Vec<Group>) -> Codes {
    let own = |codes: &[&str]| codes.iter().map(ToString::to_string).collect::<Vec<_>>();
    Codes {
        regions: REGIONS.iter().map(|(region, areas)| (region.to_string(), own(areas))).collect(),
        age_bands: own(&AGE_BANDS),
        genders: own(&GENDERS),
        programmes: own(&PROGRAMMES),
        stages: own(&STAGES),
        groups,
    }
}

/// All that is true so far, of the whole year.
struct Draft {
    chance: Chance,
    area_weights: [f64; AREAS],
    groups: Vec<Group>,
    members: BTreeMap<MemberId, Member>,
    attendance: BTreeMap<(MemberId, GroupIndex, Month), u32>,
    referrals: BTreeMap<MemberId, Referral>,
    changes: Vec<Change>,
}

/// How long someone has a seat: months of the year, and how many with those before and after it.
#[derive(Clone, Copy)]
struct Stay {
    joined: Month,
    first: i32,
    end: i32,
    months: i32,
}

impl Draft {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        Self {
            area_weights: std::array::from_fn(|_| 0.4 + 1.8 * chance.share()),
            chance,
            groups: Vec::new(),
            members: BTreeMap::new(),
            attendance: BTreeMap::new(),
            referrals: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    /// A group of 5 to 12 seats, most of them taken by one age; as people leave, others take their seats.
    fn open(&mut self, index: GroupIndex) {
        let (area, programme) = (self.chance.weighted(&self.area_weights), self.chance.weighted(&PROGRAMME_WEIGHTS));
        self.groups.push(Group { name: format!("g{index:03}"), area, programme });
        let (seats, favoured) = (self.chance.between(5, 12), self.chance.one_of(&[1, 1, 1, 2, 3, 4]));
        let mut ages = AGE_WEIGHTS;
        ages[favoured] *= 3.0;
        for _ in 0..seats {
            let mut at = -self.chance.between(0, 8);
            while at < MONTHS {
                let months = whole(self.chance.exponential(6.0)) + 1;
                let stay = Stay { joined: Month(at), first: at.max(0), end: MONTHS.min(at + months), months };
                if stay.end > stay.first {
                    self.join(index, &ages, stay);
                }
                at += months + self.chance.one_of(&[0, 0, 1, 2]);
            }
        }
    }

    fn join(&mut self, group: GroupIndex, ages: &[f64; AGE_BANDS.len()], stay: Stay) {
        let member = self.person(group, ages, stay);
        let (id, area) = (member.id, member.area);
        self.members.insert(id, member);
        self.attend(id, group, stay, 0.9, 4);
        if self.chance.share() < 0.12 {
            // Some also go to a second group.
            let second = self.chance.between(0, i32::from(group));
            self.attend(id, GroupIndex::try_from(second).expect("a group"), stay, 0.5, 2);
        }
        if self.chance.share() < 0.28 {
            let quarter = Month(stay.first).quarter().expect("a month of the year");
            let stage = self.chance.weighted(&STAGE_WEIGHTS);
            self.referrals.insert(id, Referral { member: id, group: Some(group), area, quarter, stage });
        }
    }

    fn person(&mut self, index: GroupIndex, ages: &[f64; AGE_BANDS.len()], stay: Stay) -> Member {
        let chance = &mut self.chance;
        let group = &self.groups[usize::from(index)];
        let baseline = chance.between(8, 34);
        let paired = stay.months >= 2 && chance.share() < 0.55;
        let last = paired.then(|| (baseline - whole(chance.normal(5.0, 7.0))).clamp(0, 40));
        Member {
            id: MemberId(u32::try_from(self.members.len()).expect("thousands")),
            group: index,
            programme: group.programme,
            area: group.area,
            age_band: chance.weighted(ages),
            gender: chance.weighted(&GENDER_WEIGHTS),
            joined: stay.joined,
            baseline: (paired || chance.share() < 0.6).then_some(baseline),
            last,
        }
    }

    fn attend(&mut self, member: MemberId, group: GroupIndex, stay: Stay, share: f64, sessions_max: i32) {
        for month in stay.first..stay.end {
            if self.chance.share() < share {
                let sessions = self.chance.between(1, sessions_max).unsigned_abs();
                self.attendance.insert((member, group, Month(month)), sessions);
            }
        }
    }

    /// What is known when the first months are over.
    fn state(&self, months: i32) -> State {
        let attendance: Vec<_> = self
            .attendance
            .iter()
            .filter(|((.., month), _)| *month < Month(months))
            .map(|(&(member, group, month), &sessions)| Attendance { member, group, month, sessions })
            .collect();
        let came: BTreeSet<_> = attendance.iter().map(|row| row.member).collect();
        let quarters = Code::try_from(months / 3).expect("at most 4");
        State {
            members: self.members.values().filter(|member| came.contains(&member.id)).cloned().collect(),
            attendance,
            referrals: self.referrals.values().filter(|referral| referral.quarter < quarters).cloned().collect(),
        }
    }

    fn four_months_later(&mut self) {
        let reported = self.reported();
        for key in self.chance.some_of(9, &reported) {
            self.correct(key);
        }
        self.late_register();
        let veterans = self.veterans();
        let [gone, into] = self.chance.some_of(2, &veterans)[..] else { unreachable!("two of them") };
        self.merge(gone, into);
        let veterans = self.veterans();
        for member in self.chance.some_of(2, &veterans) {
            self.erase(member);
        }
    }

    fn a_week_later(&mut self) {
        let veterans = self.veterans();
        let gone = self.chance.one_of(&veterans);
        self.erase(gone);
        let reported = self.reported();
        let key = self.chance.one_of(&reported);
        self.correct(key);
    }

    /// What the first report was about.
    fn reported(&self) -> Vec<(MemberId, GroupIndex, Month)> {
        self.attendance.keys().filter(|(.., month)| *month < Month(MONTHS_AT_FIRST)).copied().collect()
    }

    fn veterans(&self) -> Vec<MemberId> {
        self.members.values().filter(|member| member.joined < JULY).map(|member| member.id).collect()
    }

    fn name(&self, group: GroupIndex) -> String {
        self.groups[usize::from(group)].name.clone()
    }

    fn correct(&mut self, key: (MemberId, GroupIndex, Month)) {
        let (member, group, month) = key;
        let sessions = self.attendance.get_mut(&key).expect("noted");
        let was = *sessions;
        *sessions -= 1;
        if was == 1 {
            self.attendance.remove(&key);
        }
        self.changes.push(Change::Correction { member, group: self.name(group), month, was });
    }

    /// A group's September.
    fn late_register(&mut self) {
        let all: Vec<_> = (0..GroupIndex::try_from(self.groups.len()).expect("few")).collect();
        let group = self.chance.one_of(&all);
        let name = self.name(group);
        for member in self.members.values().filter(|member| member.group == group && member.joined <= SEPTEMBER) {
            *self.attendance.entry((member.id, group, SEPTEMBER)).or_default() += 1;
            let group = name.clone();
            self.changes.push(Change::LateRegister { member: member.id, group, month: SEPTEMBER, added: 1 });
        }
    }

    /// Two records were one person: of a session that both were at, one mark stays.
    fn merge(&mut self, gone: MemberId, into: MemberId) {
        for ((_, group, month), sessions) in self.forget(gone) {
            let kept = self.attendance.entry((into, group, month)).or_default();
            *kept = sessions.max(*kept);
        }
        self.changes.push(Change::Merge { gone, into });
    }

    fn erase(&mut self, member: MemberId) {
        self.forget(member);
        self.changes.push(Change::Erasure { member });
    }

    fn forget(&mut self, member: MemberId) -> BTreeMap<(MemberId, GroupIndex, Month), u32> {
        self.members.remove(&member);
        self.referrals.remove(&member);
        let own = (member, GroupIndex::MIN, Month(i32::MIN))..=(member, GroupIndex::MAX, Month(i32::MAX));
        self.attendance.extract_if(own, |_, _| true).collect()
    }
}
