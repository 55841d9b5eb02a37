//! Export the list for Meeting Guide.

use axum::extract::State;
use host::Views;
use projections::{REGISTERS, next_meeting};
use web::{After, Anybody, Path, Problem, PublicProblems, Read};

use crate::{
    Listing, Shown,
    listing_view::{self, LISTINGS},
    meeting_guide::{self, GuideMeeting},
    op,
    public_group::{self, nothing_listed},
};

/// Export the list for Meeting Guide
///
/// For anybody, without a token: a feed in the Meeting Guide format (TSML JSON), which apps and websites of fellowships read.
/// The format has weekly meetings only: groups that meet otherwise, such as once a month, are left out; groups without a
/// calendar are in it as meetings by appointment. How to join online is in it if anybody may know it.
#[utoipa::path(get, path = "/v1/public/{org}/meeting-guide.json", tag = "public",
    params(("org" = String, Path, description = "The organisation")),
    responses((status = 200, description = "The feed", body = Vec<GuideMeeting>), PublicProblems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn export_meeting_guide(
    State(listing): State<Listing>,
    _: Anybody<op::ExportMeetingGuide>,
    Path(org): Path<String>,
) -> Result<Shown<Vec<GuideMeeting>>, Problem> {
    let org = public_group::org(&org).ok_or_else(nothing_listed)?;
    let _turn = listing.exports.try_acquire().map_err(|_| Problem::overloaded())?;
    let (views, now): (&Views, _) = (&listing.views, listing.clock.now());
    let read = move |connection: &_| {
        let mut feed = vec![];
        let all = listing_view::all(connection, org.as_str(), 0, u32::MAX)?;
        let any = !all.is_empty();
        for listed in all {
            let goes_on = || next_meeting(connection, org.as_str(), listed.id, now).map(|next| next.is_some());
            if meeting_guide::can_say(&listed, goes_on)? {
                feed.push(GuideMeeting::of(&listed, org.as_str()));
            }
        }
        Ok(any.then_some(feed))
    };
    let Read(_, feed) = views.read(&[&LISTINGS, &REGISTERS], After::anything(), read).await?;
    feed.map(Shown).ok_or_else(nothing_listed)
}
