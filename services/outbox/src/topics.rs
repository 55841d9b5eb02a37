//! What can change, as programs elsewhere are told it: so much that they know where to look, and nothing of whom.

use eventlog::Recorded;

/// All topics.
pub(crate) const TOPICS: &[&str] =
    &["check_ins", "enrolments", "groups", "meetings", "members", "partners", "protocol", "referrals"];

/// What has changed when this happened.
pub(crate) fn topics_of(event: &Recorded) -> &'static [&'static str] {
    of_kind(event.stream.category())
}

fn of_kind(category: &str) -> &'static [&'static str] {
    match category {
        "programme" | "group" => &["groups"],
        "roster" => &["enrolments"],
        "meeting" => &["meetings"],
        "member" | "people" => &["members"],
        "protocol" => &["protocol"],
        "care" => &["check_ins"],
        "partner" | "route" => &["partners"],
        "referral" => &["referrals"],
        // Who may call, who looked at whom, and what leaves the house, is nobody's elsewhere.
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::{DomainEvent, endpoint};

    use super::*;

    #[test]
    fn every_kind_that_is_told_of_is_a_kind_and_has_a_topic_that_is_known() {
        let kinds: BTreeSet<_> = domain::KINDS.iter().map(|kind| kind.category).collect();
        let mut told = BTreeSet::<&str>::new();
        for kind in crate::webhook_view::WEBHOOKS.kinds.iter().filter(|kind| **kind != endpoint::Event::CATEGORY) {
            assert!(kinds.contains(kind) && !of_kind(kind).is_empty(), "{kind}");
            told.extend(of_kind(kind));
        }
        assert!(told.iter().eq(TOPICS), "{told:?}");
        for silent in ["endpoint", "audit", "access"] {
            assert!(of_kind(silent).is_empty() && kinds.contains(silent), "what is sent would be told of again");
        }
    }
}
