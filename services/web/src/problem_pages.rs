//! The pages that explain each problem, from `schemas/problems/`, served at `/problems/{code}`.

macro_rules! pages {
    ($($code:literal),+ $(,)?) => {
        /// Code and Markdown of every page, by code.
        pub const PAGES: &[(&str, &str)] =
            &[$(($code, include_str!(concat!("../../../schemas/problems/", $code, ".md")))),+];
    };
}

pages! {
    "access-full",
    "already-enrolled",
    "attendance-recorded",
    "care-full",
    "check-in-in-error",
    "check-in-there",
    "check-ins-overlap",
    "clocks-full",
    "clocks-out-of-range",
    "code-not-good",
    "concern-resolved",
    "concern-there",
    "consent-dates",
    "consent-incomplete",
    "disclosure-dates",
    "disclosure-not-allowed",
    "disclosure-of-nothing",
    "disk-full",
    "endpoint-disabled",
    "endpoints-full",
    "ends-before-start",
    "enrolment-ended",
    "enrolment-started",
    "enrolments-overlap",
    "forbidden",
    "goal-ended",
    "goal-there",
    "group-full",
    "idempotency-key-malformed",
    "idempotency-key-missing",
    "idempotency-key-reused",
    "instrument-not-in-use",
    "instrument-version-taken",
    "internal",
    "legal-hold",
    "link-not-good",
    "link-time",
    "lost-race",
    "malformed",
    "marked-twice",
    "marks-refused",
    "media-type",
    "meeting-not-open",
    "meeting-not-possible",
    "meeting-too-early",
    "member-completed",
    "member-merged",
    "member-not-merged",
    "member-registered",
    "merge-into-itself",
    "method-not-allowed",
    "mode-of-absent",
    "moods-refused",
    "need-closed",
    "need-not-met",
    "no-crisis-text",
    "no-duty-seat",
    "no-groups",
    "no-mail",
    "no-mailbox",
    "no-schedule",
    "no-such-enrolment",
    "not-a-reason",
    "not-again-before",
    "not-asking",
    "not-assigned",
    "not-enrolled",
    "not-for-service",
    "not-found",
    "not-on-roster",
    "not-visible-yet",
    "on-roster",
    "other-recipient",
    "overloaded",
    "override-time",
    "own-glass",
    "own-override",
    "partner-closed",
    "partner-full",
    "partner-out-of-range",
    "path-too-long",
    "phase-not-possible",
    "position-unknown",
    "preview-changed",
    "processing-restricted",
    "protocol-full",
    "protocol-out-of-range",
    "rate-limited",
    "reason-needed",
    "record-full",
    "referral-no-parent",
    "referral-not-due",
    "referral-not-for-actor",
    "referral-objected",
    "referral-out-of-range",
    "referral-step-not-possible",
    "referral-there",
    "referral-with-service",
    "referral-words-missing",
    "referrals-full",
    "referrals-under-way",
    "register-closed",
    "register-full",
    "register-open",
    "risk-missing",
    "roster-full",
    "service-not-active",
    "timed-out",
    "too-few-tries",
    "too-large",
    "too-many-applications",
    "too-many-codes",
    "too-many-heads",
    "too-many-open-goals",
    "unauthenticated",
    "unavailable",
    "unknown-calendar",
    "unknown-check-in",
    "unknown-client",
    "unknown-concern",
    "unknown-consent",
    "unknown-disclosure",
    "unknown-endpoint",
    "unknown-glass",
    "unknown-goal",
    "unknown-group",
    "unknown-hold",
    "unknown-instrument",
    "unknown-meeting",
    "unknown-member",
    "unknown-message",
    "unknown-need",
    "unknown-norm-set",
    "unknown-override",
    "unknown-partner",
    "unknown-programme",
    "unknown-referral",
    "unknown-rest",
    "unknown-service",
    "walk-in-absent",
}

/// Title of a page: its first line.
pub fn title(code: &str) -> &'static str {
    let page = PAGES.binary_search_by_key(&code, |(code, _)| code).ok().map(|at| PAGES[at].1);
    debug_assert!(page.is_some(), "no page for the problem {code}");
    page.and_then(|page| page.lines().next()).map_or("Problem", |line| line.trim_start_matches("# "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_a_title_and_says_what_to_do() {
        assert!(PAGES.is_sorted());
        for (code, page) in PAGES {
            assert!(page.starts_with("# ") && page.lines().count() > 2, "{code}");
        }
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/problems")).unwrap();
        assert_eq!(folder.count(), PAGES.len(), "a page is not served");
    }
}
