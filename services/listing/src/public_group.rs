//! A group as it is shown to anybody.

use domain::{
    GroupId, OrgId, Schedule,
    group::{Accessibility, Cost, Focus, Joining, Link, MeetingMode, Venue},
};
use jiff::{
    Timestamp,
    civil::{DateTime, Time},
};
use projections::MeetingAhead;
use serde::Serialize;
use utoipa::ToSchema;
use web::Problem;

use crate::{
    listing_view::Listed,
    rule::{Weekday, weekdays},
};

/// A group that is listed, with nothing of who is in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PublicGroup {
    pub id: GroupId,
    pub name: String,
    /// From the place that was asked about, along a great circle, in km to 10 m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_km: Option<f64>,
    pub mode: MeetingMode,
    pub focus: Focus,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<String>,
    /// Language of the meetings (BCP 47).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub venue: Option<Venue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accessibility: Vec<Accessibility>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_details: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<Link>,
    /// How anybody can take part from elsewhere. What only members may know is nowhere here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online: Option<Joining>,
    /// When it meets; missing if it has no calendar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<PublicSchedule>,
    /// The next meeting that is planned and has not begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_meeting: Option<NextMeeting>,
}

/// When a group meets. Single meetings can be moved or called off: what comes next is in `next_meeting`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PublicSchedule)]
pub(crate) struct PublicSchedule {
    /// On which days there can be meetings.
    pub weekdays: Vec<Weekday>,
    /// Local start.
    #[schema(value_type = String, example = "19:00:00")]
    pub starts_at: Time,
    pub duration_minutes: u16,
    /// IANA time zone.
    pub time_zone: String,
    /// RFC 5545 recurrence rule.
    pub recurrence: String,
}

/// A meeting ahead.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = NextPublicMeeting)]
pub(crate) struct NextMeeting {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// In the group's time zone.
    #[schema(value_type = String)]
    pub starts_at_local: DateTime,
    pub mode: MeetingMode,
}

impl PublicGroup {
    /// A group, with the next meeting that is planned of it, and how far it is.
    pub fn of(listed: Listed, next: Option<MeetingAhead>, km: Option<f64>) -> Self {
        let Listed { id, details, schedule, joining, .. } = listed;
        Self {
            id,
            name: details.name.to_string(),
            distance_km: km.map(|km| (km * 100.0).round() / 100.0),
            mode: details.mode,
            focus: details.focus,
            formats: details.formats.iter().map(ToString::to_string).collect(),
            language: details.language.map(|tag| tag.to_string()),
            venue: details.venue,
            comments: details.comments.map(|comments| comments.to_string()),
            accessibility: details.accessibility,
            cost: details.cost,
            cost_details: details.cost_details.map(|cost| cost.to_string()),
            website: details.website,
            online: joining,
            schedule: schedule.as_ref().map(PublicSchedule::of),
            next_meeting: next.map(NextMeeting::of),
        }
    }
}

impl PublicSchedule {
    fn of(schedule: &Schedule) -> Self {
        Self {
            weekdays: weekdays(Some(schedule)).days().collect(),
            starts_at: schedule.starts_at,
            duration_minutes: schedule.duration_minutes,
            time_zone: schedule.time_zone.to_string(),
            recurrence: schedule.recurrence.to_string(),
        }
    }
}

impl NextMeeting {
    fn of(ahead: MeetingAhead) -> Self {
        let MeetingAhead { starts_at, ends_at, starts_at_local, mode } = ahead;
        Self { starts_at, ends_at, starts_at_local, mode }
    }
}

/// An organisation's name as it stands in a path; none if nobody can have it.
pub(crate) fn org(name: &str) -> Option<OrgId> {
    name.parse().ok()
}

/// The same for an organisation that lists nothing and for one that there is not.
pub(crate) fn nothing_listed() -> Problem {
    Problem::not_found(
        "no group is listed under this name: look at the organisation's name in the address; an organisation lists a group \
         by setting `listed` in its details",
    )
}
