//! Listings of meetings, and what is to be done with them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use domain::OrgId;

use super::Server;

#[derive(Debug, Args)]
pub(crate) struct ImportListing {
    /// The listing
    pub file: PathBuf,
    /// Organisation to import into
    #[arg(long)]
    pub org: OrgId,
    /// IANA time zone of meetings that do not name theirs, such as UTC
    #[arg(long)]
    pub time_zone: String,
    #[command(flatten)]
    pub reading: ReadListing,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct ImportGroups {
    /// The file: CSV; its first line names the columns
    #[arg(required_unless_present = "template")]
    pub file: Option<PathBuf>,
    /// Write an empty file with all columns explained, and do nothing else
    #[arg(long)]
    pub template: bool,
    /// Organisation to import into
    #[arg(long, required_unless_present = "template")]
    pub org: Option<OrgId>,
    /// IANA time zone of groups that do not name theirs, such as UTC
    #[arg(long, required_unless_present = "template")]
    pub time_zone: Option<String>,
    #[command(flatten)]
    pub reading: ReadListing,
    #[command(flatten)]
    pub server: Server,
}

/// How a listing is read.
#[derive(Debug, Args)]
pub(crate) struct ReadListing {
    /// Say what would be done, but do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Short name of the server or file, if not that of the format: ids of meetings are taken to be its own
    #[arg(long)]
    pub source: Option<String>,
    /// What the groups are about
    #[arg(long, value_enum, default_value = "addiction")]
    pub focus: Focus,
    /// Who is shown how to join meetings online
    #[arg(long, value_enum, default_value = "as-listed")]
    pub links: Links,
    /// What becomes of groups from this source that the listing does not name any more
    #[arg(long, value_enum, default_value = "tell")]
    pub missing: Missing,
}

/// What groups are about.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Focus {
    /// Recovery from addiction
    Addiction,
    /// Recovery from mental-health problems
    MentalHealth,
    /// Living with a chronic illness
    ChronicIllness,
    /// Anything else
    Other,
}

/// Who is shown how to join.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Links {
    /// Anybody, if the listing publishes it
    AsListed,
    /// Members of the group and those who run it
    Private,
}

/// What becomes of groups that are not in the listing any more.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Missing {
    /// They stay as they are, and the report tells them
    Tell,
    /// They are not shown in public any more, but stay and go on meeting
    Unlist,
}

impl ReadListing {
    /// As the API asks for it.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let focus = match self.focus {
            Focus::Addiction => "addiction",
            Focus::MentalHealth => "mental_health",
            Focus::ChronicIllness => "chronic_illness",
            Focus::Other => "other",
        };
        let links = match self.links {
            Links::AsListed => "as_listed",
            Links::Private => "private",
        };
        let missing = match self.missing {
            Missing::Tell => "tell",
            Missing::Unlist => "unlist",
        };
        let mut query = vec![
            ("dry_run", self.dry_run.to_string()),
            ("focus", focus.into()),
            ("links", links.into()),
            ("missing", missing.into()),
        ];
        query.extend(self.source.clone().map(|source| ("source", source)));
        query
    }
}
