//! An organisation in files: `codes.json`, `changes.json`, and of each state `members.csv`, `attendance.csv` and
//! `referrals.csv`, as `data/gen_peer.py` writes them.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use csv::Terminator;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::{Value, json};

use super::{
    Attendance, Change, Code, Codes, Group, GroupIndex, Member, MemberId, Month, Organisation, Origin, Referral, State,
};

impl Organisation {
    /// Reads all three states.
    pub fn read(folder: &Path) -> Result<Self> {
        let codes = Codes::read(folder)?;
        let mut states = [State::default(), State::default(), State::default()];
        for (number, state) in (1..).zip(&mut states) {
            *state = State::read(&folder.join(format!("state-{number}")), &codes)?;
        }
        know_groups(&mut states);
        let changes: Vec<_> = from_json(&folder.join("changes.json"))?;
        let changes = changes.into_iter().map(change).collect::<Result<_>>()?;
        Ok(Self { origin: Origin::Folder(folder.to_owned()), codes, states, changes })
    }

    /// Writes all three states, so that others can look at what came of a seed.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (number, state) in (1..).zip(&self.states) {
            state.write(&folder.join(format!("state-{number}")), &self.codes)?;
        }
        let changes: Vec<_> = self.changes.iter().map(change_in_file).collect();
        fs::write(folder.join("changes.json"), serde_json::to_vec(&changes)?)?;
        fs::write(folder.join("codes.json"), serde_json::to_vec(&CodesInFile::from(&self.codes))?)?;
        Ok(())
    }
}

impl Codes {
    /// Reads `codes.json` of an organisation's folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let file: CodesInFile = from_json(&folder.join("codes.json"))?;
        let mut codes = Self {
            regions: file.area.0,
            age_bands: file.age_band,
            genders: file.gender,
            programmes: file.programme,
            stages: file.stage,
            groups: Vec::new(),
        };
        for (name, area, programme) in file.groups {
            let (area, programme) = (code(codes.areas(), &area)?, code(&codes.programmes, &programme)?);
            codes.groups.push(Group { name, area, programme });
        }
        Ok(codes)
    }

    fn group(&self, name: &str) -> Result<GroupIndex> {
        let index = self.groups.iter().position(|group| group.name == name);
        Ok(index.with_context(|| format!("{name:?} is no group"))?.try_into()?)
    }

    fn area(&self, area: Code) -> String {
        self.areas().nth(area.into()).expect("an area").clone()
    }
}

impl State {
    /// Reads a folder of one state.
    pub fn read(folder: &Path, codes: &Codes) -> Result<Self> {
        let mut state = Self {
            members: rows(&folder.join("members.csv"), |row| member(row, codes))?,
            attendance: rows(&folder.join("attendance.csv"), |row| attendance(row, codes))?,
            referrals: rows(&folder.join("referrals.csv"), |row| referral(row, codes))?,
        };
        state.members.sort_by_key(|member| member.id);
        state.attendance.sort_by_key(|row| (row.member, row.group, row.month));
        state.referrals.sort_by_key(|referral| referral.member);
        know_groups(std::slice::from_mut(&mut state));
        Ok(state)
    }

    /// Writes a folder of one state.
    pub fn write(&self, folder: &Path, codes: &Codes) -> Result<()> {
        fs::create_dir_all(folder)?;
        write_rows(&folder.join("members.csv"), self.members.iter().map(|member| member_row(member, codes)))?;
        write_rows(&folder.join("attendance.csv"), self.attendance.iter().map(|row| attendance_row(row, codes)))?;
        write_rows(&folder.join("referrals.csv"), self.referrals.iter().map(|row| referral_row(row, codes)))
    }
}

/// Referrals in files have no group: it is known from any state in which the member is.
fn know_groups(states: &mut [State]) {
    let members = states.iter().flat_map(|state| &state.members);
    let groups: BTreeMap<_, _> = members.map(|member| (member.id, member.group)).collect();
    for referral in states.iter_mut().flat_map(|state| &mut state.referrals) {
        referral.group = groups.get(&referral.member).copied();
    }
}

#[derive(Serialize, Deserialize)]
struct CodesInFile {
    area: Regions,
    age_band: Vec<String>,
    gender: Vec<String>,
    programme: Vec<String>,
    stage: Vec<String>,
    groups: Vec<(String, String, String)>,
}

impl From<&Codes> for CodesInFile {
    fn from(codes: &Codes) -> Self {
        let programme = |group: &Group| codes.programmes[usize::from(group.programme)].clone();
        let groups = codes.groups.iter().map(|group| (group.name.clone(), codes.area(group.area), programme(group)));
        Self {
            area: Regions(codes.regions.clone()),
            age_band: codes.age_bands.clone(),
            gender: codes.genders.clone(),
            programme: codes.programmes.clone(),
            stage: codes.stages.clone(),
            groups: groups.collect(),
        }
    }
}

/// A map in JSON whose order counts.
struct Regions(Vec<(String, Vec<String>)>);

impl Serialize for Regions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(region, areas)| (region, areas)))
    }
}

impl<'de> Deserialize<'de> for Regions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Regions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("regions with their areas")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Regions, A::Error> {
                let mut regions = Vec::new();
                while let Some(region) = map.next_entry()? {
                    regions.push(region);
                }
                Ok(Regions(regions))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[derive(Serialize, Deserialize)]
struct MemberRow {
    member: MemberId,
    group: String,
    programme: String,
    area: String,
    age_band: String,
    gender: String,
    joined: Month,
    baseline: Option<i32>,
    last: Option<i32>,
}

fn member(row: &MemberRow, codes: &Codes) -> Result<Member> {
    Ok(Member {
        id: row.member,
        group: codes.group(&row.group)?,
        programme: code(&codes.programmes, &row.programme)?,
        area: code(codes.areas(), &row.area)?,
        age_band: code(&codes.age_bands, &row.age_band)?,
        gender: code(&codes.genders, &row.gender)?,
        joined: row.joined,
        baseline: row.baseline,
        last: row.last,
    })
}

fn member_row(member: &Member, codes: &Codes) -> MemberRow {
    MemberRow {
        member: member.id,
        group: codes.groups[usize::from(member.group)].name.clone(),
        programme: codes.programmes[usize::from(member.programme)].clone(),
        area: codes.area(member.area),
        age_band: codes.age_bands[usize::from(member.age_band)].clone(),
        gender: codes.genders[usize::from(member.gender)].clone(),
        joined: member.joined,
        baseline: member.baseline,
        last: member.last,
    }
}

#[derive(Serialize, Deserialize)]
struct AttendanceRow {
    member: MemberId,
    group: String,
    programme: String,
    month: Month,
    sessions: u32,
}

fn attendance(row: &AttendanceRow, codes: &Codes) -> Result<Attendance> {
    let AttendanceRow { member, month, sessions, .. } = *row;
    let group = codes.group(&row.group)?;
    let programme = code(&codes.programmes, &row.programme)?;
    ensure!(codes.groups[usize::from(group)].programme == programme, "{} is not about {}", row.group, row.programme);
    ensure!(month.quarter().is_some(), "{month} is not of the year");
    Ok(Attendance { member, group, month, sessions })
}

fn attendance_row(row: &Attendance, codes: &Codes) -> AttendanceRow {
    let group = &codes.groups[usize::from(row.group)];
    AttendanceRow {
        member: row.member,
        group: group.name.clone(),
        programme: codes.programmes[usize::from(group.programme)].clone(),
        month: row.month,
        sessions: row.sessions,
    }
}

#[derive(Serialize, Deserialize)]
struct ReferralRow {
    member: MemberId,
    area: String,
    quarter: String,
    stage: String,
}

fn referral(row: &ReferralRow, codes: &Codes) -> Result<Referral> {
    let quarter = match row.quarter.as_str() {
        "Q1" => 0,
        "Q2" => 1,
        "Q3" => 2,
        "Q4" => 3,
        other => bail!("{other:?} is no quarter"),
    };
    let (area, stage) = (code(codes.areas(), &row.area)?, code(&codes.stages, &row.stage)?);
    Ok(Referral { member: row.member, group: None, area, quarter, stage })
}

fn referral_row(referral: &Referral, codes: &Codes) -> ReferralRow {
    ReferralRow {
        member: referral.member,
        area: codes.area(referral.area),
        quarter: format!("Q{}", referral.quarter + 1),
        stage: codes.stages[usize::from(referral.stage)].clone(),
    }
}

fn change((kind, first, second): (String, Value, Value)) -> Result<Change> {
    let whom = |value: Value| serde_json::from_value::<MemberId>(value);
    Ok(match kind.as_str() {
        "correction" => {
            let (member, group, month) = serde_json::from_value(first)?;
            Change::Correction { member, group, month, was: serde_json::from_value(second)? }
        }
        "late register" => {
            let (member, group, month) = serde_json::from_value(first)?;
            Change::LateRegister { member, group, month, added: serde_json::from_value(second)? }
        }
        "merge" => Change::Merge { gone: whom(first)?, into: whom(second)? },
        "erasure" => Change::Erasure { member: whom(first)? },
        other => bail!("{other:?} is no change"),
    })
}

fn change_in_file(change: &Change) -> Value {
    match change {
        Change::Correction { member, group, month, was } => json!(["correction", [member, group, month], was]),
        Change::LateRegister { member, group, month, added } => json!(["late register", [member, group, month], added]),
        Change::Merge { gone, into } => json!(["merge", gone, into]),
        Change::Erasure { member } => json!(["erasure", member, ""]),
    }
}

fn code<'a>(codes: impl IntoIterator<Item = &'a String>, wanted: &str) -> Result<Code> {
    let index = codes.into_iter().position(|code| code == wanted);
    Ok(index.with_context(|| format!("{wanted:?} is no code"))?.try_into()?)
}

fn from_json<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))
}

fn rows<R: DeserializeOwned, T>(file: &Path, of: impl Fn(&R) -> Result<T>) -> Result<Vec<T>> {
    let mut reader = csv::Reader::from_path(file).with_context(|| format!("cannot read {}", file.display()))?;
    let rows = reader.deserialize().map(|row| of(&row?));
    rows.collect::<Result<_>>().with_context(|| format!("cannot understand {}", file.display()))
}

fn write_rows(file: &Path, rows: impl Iterator<Item = impl Serialize>) -> Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(Terminator::CRLF).from_writer(File::create(file)?);
    for row in rows {
        writer.serialize(row)?;
    }
    Ok(writer.flush()?)
}
