//! What the command line can say.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::{GroupId, OrgId, ProgrammeId, meeting::Mark};
use jiff::{Span, civil::Date};
use serde::Serialize;
use web::Role;

use crate::Service;

mod csv_form;
mod disclosure;
mod listing;
mod member_columns;

#[cfg(test)]
pub(crate) use csv_form::Columns;
pub(crate) use csv_form::{CsvForm, is_separator};
pub(crate) use disclosure::{Attack, Suppress};
pub(crate) use listing::{ImportGroups, ImportListing, ImportNaws, ReadListing};
pub(crate) use member_columns::{MEMBER_COLUMNS, member_columns};

/// The record of peer-support groups: who came, how, and how many more.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // there is one, and it lives for one match
pub(crate) enum Command {
    /// Run the server until Ctrl-C
    Serve(Box<Serve>),
    /// Make a token for a caller of the API
    Token(Token),
    /// Import a listing, or members, into a running server
    #[command(subcommand)]
    Import(Import),
    /// Report reach: unique people, attendances, meetings, anonymous heads (internal, not for publication)
    Report(Report),
    Suppress(Suppress),
    Attack(Attack),
    /// Check that the log is as it was written, that nothing is in it twice, that views and facts follow from it, and that
    /// nobody who was erased has a key
    Verify(Verify),
    /// Make a checked copy of what cannot be made again, also while the server runs
    Backup(Backup),
    /// Make a data directory of a copy, without those who were erased since
    Restore(Restore),
    /// Make a key-encryption key
    Key {
        /// File to write it to, which must not exist
        #[arg(long)]
        out: PathBuf,
    },
    /// Wrap the keys of all people with another key-encryption key; the server must be stopped
    RotateKey(RotateKey),
    /// Look at files that say what an instrument is
    #[command(subcommand)]
    Instrument(InstrumentCommand),
    /// Write the generated schemas: events, openapi.json, asyncapi.json
    Schemas {
        /// Folder to write to
        #[arg(long, default_value = "schemas")]
        out: PathBuf,
    },
}

/// Look at files that say what an instrument is.
#[derive(Debug, Subcommand)]
pub(crate) enum InstrumentCommand {
    /// Name line and field of each mistake in a definition; nothing is sent anywhere
    Check {
        /// The definition, as JSON in the form of `schemas/instruments/instrument.schema.json`
        file: PathBuf,
    },
}

/// Run the server until Ctrl-C. Settings come from the defaults, the file, the environment (`KITH_DATA`, …) and flags,
/// each winning over those before.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Serve {
    /// File with settings (TOML)
    #[arg(long)]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Folder of all that this server keeps [default: kith-data]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Have these services only; the others run in other processes [default: all]
    #[arg(long = "service", value_enum, value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// KurrentDB with the event log, such as `esdb://host:2113`; without it, the log is in the data directory. With a
    /// password in it, better given as `KITH_EVENTSTORE`
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eventstore: Option<String>,
    /// Folder of what several processes on this machine share: the vault and the keys [default: the data directory]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<PathBuf>,
    /// File with the key-encryption key, if it is not in `KITH_KEY` nor in the data directory
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// File to which every erasure is written as well, best on another disk
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasures_file: Option<PathBuf>,
    /// Country, in two letters such as GB, in which telephone numbers are meant that do not name theirs
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_country: Option<String>,
    /// IANA time zone, such as Europe/Berlin, in which days are that belong to no group, or to one without a calendar:
    /// of registrations, consents, wishes [default: UTC]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Address to listen at [default: 127.0.0.1:8080]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Address at which operators ask for /readyz with details and /metrics [default: 127.0.0.1:9464]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ops_listen: Option<SocketAddr>,
    /// NATS server to use (nats://… or tls://…), with the user who reads; without it, one is started on loopback
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats: Option<String>,
    /// File with the credentials of the NATS user who reads
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats_credentials: Option<PathBuf>,
    /// The same NATS server with the user who may publish events, for the service relay; with a password in it, better given as
    /// `KITH_NATS_RELAY`
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats_relay: Option<String>,
    /// File with the credentials of the NATS user who may publish
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats_relay_credentials: Option<PathBuf>,
    /// Certificates (PEM) of the authority that signed the NATS server's
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats_ca: Option<PathBuf>,
    /// The program nats-server, if it is not on the path
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats_server: Option<PathBuf>,
    /// Go on although the vault's keys are lost, and with them all that was known of people until now
    #[arg(long)]
    #[serde(skip)]
    pub accept_lost_keys: bool,
    /// How far ahead meetings are planned, in days; 0 plans none [default: 56]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_days: Option<u16>,
    /// Mail server that takes what is written to people; without it, nobody is written to. Needs --mail-from and --public-url
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_host: Option<String>,
    /// Its port [default: 587]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_port: Option<u16>,
    /// How it is spoken to: required (STARTTLS), implicit, or opportunistic, on this machine only [default: required]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_tls: Option<String>,
    /// As whom, if it asks; with --smtp-password-file
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_user: Option<String>,
    /// File with the password of --smtp-user
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_password_file: Option<PathBuf>,
    /// Who sends e-mails: an address of nobody in particular
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_from: Option<String>,
    /// Where people find Kith, such as `https://kith.example.org`: all that is written to them
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// What is logged, such as info,messaging=debug [default: info,eventstore=off]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Log lines as JSON
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub log_json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Data directory of the server
    #[arg(long, env = "KITH_DATA", default_value = "kith-data")]
    pub data: PathBuf,
    /// Organisation
    #[arg(long)]
    pub org: OrgId,
    /// admin, coordinator, facilitator, analyst, partner, member or auditor
    #[arg(long)]
    pub role: Role,
    /// Who it is for; of a member, the member's id
    #[arg(long)]
    pub subject: String,
    /// How long it lives, such as 90m or 8h; at most 24h
    #[arg(long, default_value = "8h")]
    pub ttl: String,
    /// A group of a facilitator; may be given many times
    #[arg(long = "group")]
    pub groups: Vec<GroupId>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// A BMLT server's listing as JSON
    Bmlt(ImportListing),
    /// A feed of meetings in the Meeting Guide format (TSML JSON)
    MeetingGuide(ImportListing),
    /// A NAWS export of a BMLT server as CSV
    Naws(ImportNaws),
    /// Groups as CSV, with columns such as `name,programme,weekday,starts_at,street,online_url`
    Groups(ImportGroups),
    /// Partners and their services from an HSDS 3.0 directory: JSON documents, or the CSV datapackage
    ///
    /// Kept are organizations (id, name) and services (id, name, status, description, application process, eligibility, ages,
    /// fees and cost options, schedules, languages, accessibility and transportation, alert, assured date). Not kept are
    /// contacts, phones, postal, e-mail and web addresses, programs, funding, areas, required documents, taxonomies,
    /// attributes, metadata, identifiers, licences, accreditations, interpretation services and deprecated fields.
    ///
    /// What is here already as the directory says is not written again; what it does not say stays as it is.
    Hsds(ImportHsds),
    /// Calendars of groups, as an iCalendar file (.ics)
    ///
    /// Each event that recurs becomes a group that is not listed, or the one event of the file the calendar of a group. Kept are
    /// the rule, the days that are left out, and what is otherwise at single occurrences; name, description, place and
    /// categories. Who is invited is not read. What cannot be kept is said with its line.
    Calendar(ImportCalendar),
    /// Members and their enrolments as CSV, with columns such as
    /// `alias,given_name,email,external_system,external_id,group,starts_on`
    #[command(after_long_help = member_columns())]
    Members(ImportMembers),
    /// Check-ins of the past as CSV, with columns such as `external_system,external_id,instrument,taken_on,score`
    CheckIns(ImportCheckIns),
    /// Attendance of the past as CSV: a line for each mark, with columns such as `external_system,external_id,group,date,mark`,
    /// or a line for each person with a column for each date
    ///
    /// Who is meant is said by `member`, `external_system` and `external_id`, `email` or `phone`. A mark is present, late,
    /// excused or absent; an empty cell is not recorded. Each meeting is recorded at once: planned by the group's calendar if
    /// it never was, opened, filled in, closed. The table of attendance that Kith writes can be read, too.
    Attendance(ImportAttendance),
}

#[derive(Debug, Args)]
pub(crate) struct ImportAttendance {
    #[command(flatten)]
    pub lines: ImportLines,
    #[command(flatten)]
    pub table: AttendanceTable,
}

/// How a file of attendance is read.
#[derive(Debug, Args)]
pub(crate) struct AttendanceTable {
    /// The group, by its id, of a file without a column `group`
    #[arg(long)]
    pub group: Option<GroupId>,
    /// How dates are written that are not as in 2026-01-31
    #[arg(long, value_enum, default_value = "iso")]
    pub date_format: DateFormat,
    /// Another word for a mark, such as `x=present`; `?=` is not recorded; may be given many times
    #[arg(long, value_name = "WORD=MARK", value_parser = mark)]
    pub mark: Vec<(String, Option<Mark>)>,
    /// A column that is not read; may be given many times
    #[arg(long, value_name = "COLUMN")]
    pub ignore: Vec<String>,
    /// Record who had no place on a day as a walk-in, instead of leaving the line out
    #[arg(long)]
    pub walk_ins: bool,
    /// Record meetings on days on which the calendar has none, instead of leaving the lines out
    #[arg(long)]
    pub extra_meetings: bool,
}

/// How dates are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DateFormat {
    /// 2026-01-31
    Iso,
    /// 31.1.2026, 31/01/2026 or 31-01-2026
    DayMonthYear,
    /// 1/31/2026, 01.31.2026 or 01-31-2026
    MonthDayYear,
}

impl DateFormat {
    /// What is said of a date that is written otherwise.
    pub(crate) fn wants(self) -> &'static str {
        match self {
            Self::Iso => "must be a day such as 2026-01-31; say --date-format for another form",
            Self::DayMonthYear => "must be a day such as 31.01.2026 or 2026-01-31",
            Self::MonthDayYear => "must be a day such as 01/31/2026 or 2026-01-31",
        }
    }
}

fn mark(text: &str) -> Result<(String, Option<Mark>), String> {
    let (theirs, ours) = pair(text)?;
    let mark = serde_json::from_value::<Mark>(ours.as_str().into()).ok();
    match (mark, ours.is_empty()) {
        (None, false) => Err("must be present, late, excused, absent or nothing after the `=`".into()),
        (mark, _) => Ok((theirs, mark)),
    }
}

#[derive(Debug, Args)]
#[command(
    mut_arg("file", |file| file.required(false).required_unless_present("template").default_value_if("template", "true", ".")),
    mut_arg("org", |org| org.required(false).required_unless_present("template").default_value_if("template", "true", "none"))
)]
pub(crate) struct ImportMembers {
    #[command(flatten)]
    pub lines: ImportLines,
    /// Print an empty file with all columns, and what each is for in its second row, which an import leaves out
    #[arg(long)]
    pub template: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportCheckIns {
    #[command(flatten)]
    pub lines: ImportLines,
    #[command(flatten)]
    pub reading: Reading,
}

/// How a file of check-ins is read that has other columns.
#[derive(Debug, Args)]
pub(crate) struct Reading {
    /// A column that the file does not have, the same in all lines, such as `instrument=phq-9`; may be given many times
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// A column with the scores of one time, of a file with a line for each person, and its day or how long after
    /// `taken_on` it was, such as `month_2=2 months`; may be given many times
    #[arg(long, value_name = "COLUMN=DAY", value_parser = time)]
    pub time: Vec<(String, Day)>,
    /// A column that is not read; may be given many times
    #[arg(long, value_name = "COLUMN")]
    pub ignore: Vec<String>,
}

/// Most columns of scores of times, a count.
pub(crate) const TIMES_MAX: usize = 64;

/// The day of a column of scores.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Day {
    /// The same for all.
    On(Date),
    /// So long after the line's `taken_on`.
    After(Span),
}

impl std::str::FromStr for Day {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let day = s.parse().map(Self::On).or_else(|_| s.parse().map(Self::After));
        day.map_err(|_| "must be a day such as 2026-01-31, or a time after taken_on such as `2 months`".into())
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (left, right) = text.split_once('=').ok_or("must have a `=`")?;
    Ok((left.trim().to_owned(), right.trim().to_owned()))
}

fn time(text: &str) -> Result<(String, Day), String> {
    let (column, day) = pair(text)?;
    Ok((column, day.parse()?))
}

/// A file of lines, and what is to be done with it.
#[derive(Debug, Args)]
pub(crate) struct ImportLines {
    /// The file: CSV as spreadsheets write it; its first line names the columns
    pub file: PathBuf,
    #[command(flatten)]
    pub form: CsvForm,
    /// Organisation to import into
    #[arg(long)]
    pub org: OrgId,
    /// Say what would be done, but do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What to do if a line is wrong
    #[arg(long, value_enum, default_value = "stop")]
    pub on_error: OnError,
    /// What to do with a line about somebody or something that may be here already
    #[arg(long, value_enum, default_value = "report")]
    pub duplicates: Duplicates,
    #[command(flatten)]
    pub server: Server,
}

/// The server that a file is sent to.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The running server
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Data directory of the server, to make an admin's token with
    #[arg(long, env = "KITH_DATA", default_value = "kith-data")]
    pub data: PathBuf,
    /// A token of somebody who may import, instead of one made with the data directory
    #[arg(long, env = "KITH_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// What to do if a line is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// Look through the whole file first, and import nothing of it
    Stop,
    /// Leave the line out
    Skip,
}

/// What to do with a line about somebody or something that may be here already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Duplicates {
    /// Leave it out and say so
    Report,
    /// Take it as another one
    Import,
}

impl Duplicates {
    pub(crate) fn is_import(self) -> bool {
        self == Self::Import
    }
}

#[derive(Debug, Args)]
pub(crate) struct ImportCalendar {
    /// The calendar
    pub file: PathBuf,
    /// Organisation to import into
    #[arg(long)]
    pub org: OrgId,
    /// Say what would be done, but do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Time zone of times that name none, such as Europe/Berlin or "W. Europe Standard Time"
    #[arg(long)]
    pub time_zone: String,
    /// The group whose calendar it is; if it is not given, each event becomes a group
    #[arg(long)]
    pub group: Option<GroupId>,
    /// Short name of where the file comes from: ids of events are taken to be its own
    #[arg(long, default_value = "calendar")]
    pub source: String,
    /// The programme of new groups; one with the name of the calendar if it is not given
    #[arg(long)]
    pub programme: Option<ProgrammeId>,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct ImportHsds {
    /// A file (`.json`, or `.csv` with the name of a table), or a folder: its `.csv` files, or else its `.json` files
    pub path: PathBuf,
    /// Organisation to import into
    #[arg(long)]
    pub org: OrgId,
    /// Say what would be done, but do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// IANA time zone of partners that are new, such as UTC
    #[arg(long)]
    pub time_zone: String,
    /// Short name of the directory: ids are taken to be its own
    #[arg(long, default_value = "hsds")]
    pub source: String,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Data directory of the server, which may be running
    #[arg(long, env = "KITH_DATA", default_value = "kith-data")]
    pub data: PathBuf,
    /// Organisation
    #[arg(long)]
    pub org: OrgId,
    /// First month, such as 2026-01
    #[arg(long)]
    pub from: reporting::Month,
    /// Last month, included
    #[arg(long)]
    pub through: reporting::Month,
    /// One row for each of these, or for each combination: month, programme, mode; without any, the total
    #[arg(long, value_delimiter = ',')]
    pub by: Vec<reporting::Dimension>,
    /// Also write CSV to this file
    #[arg(long)]
    pub csv: Option<PathBuf>,
    /// Also write JSON to this file
    #[arg(long)]
    pub json: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Data directory of the server, which may be running
    #[arg(long, env = "KITH_DATA", default_value = "kith-data")]
    pub data: PathBuf,
    /// KurrentDB with the event log, if it is not in the data directory
    #[arg(long, env = "KITH_EVENTSTORE", hide_env_values = true)]
    pub eventstore: Option<String>,
    /// Folder of the vault and the keys, if it is not the data directory
    #[arg(long, env = "KITH_SHARED")]
    pub shared: Option<PathBuf>,
    /// Check this receipt of an erasure instead: the answer of `erase_member`, or the JWS in it
    #[arg(long)]
    pub receipt: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Data directory of the server, which may be running
    #[arg(long, env = "KITH_DATA", default_value = "kith-data")]
    pub data: PathBuf,
    /// Folder of copies; the new one is a folder in it, named by the time
    #[arg(long)]
    pub to: PathBuf,
    /// File with the key-encryption key, if it is not in `KITH_KEY` nor in the data directory
    #[arg(long, env = "KITH_KEY_FILE")]
    pub key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The copy
    #[arg(long)]
    pub from: PathBuf,
    /// The new data directory, which must be empty or not there
    #[arg(long)]
    pub data: PathBuf,
    /// File with the key-encryption key of the time of the copy, if it is not in `KITH_KEY`
    #[arg(long, env = "KITH_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    #[command(flatten)]
    pub erasures: Erasures,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Erasures {
    /// The server's file of erasures: who is in it is erased again
    #[arg(long)]
    pub erasures: Option<PathBuf>,
    /// Nobody was erased since the copy was taken
    #[arg(long)]
    pub no_erasures_since: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    /// Data directory of the server
    #[arg(long, env = "KITH_DATA", default_value = "kith-data")]
    pub data: PathBuf,
    /// File with the key-encryption key of now, if it is not in `KITH_KEY` nor in the data directory
    #[arg(long, env = "KITH_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// File with the new one; made if it does not exist
    #[arg(long)]
    pub new_key_file: PathBuf,
}
