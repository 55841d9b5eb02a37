//! The operations, and who may call them.

web::operations! {
    /// Report reach. Internal until disclosure control guards it.
    ReportReach = "report_reach": Admin;
    /// Report moods and changes of scores. Internal until disclosure control guards it.
    ReportOutcomes = "report_outcomes": Admin;
    /// Report referrals. Internal until disclosure control guards it.
    ReportReferrals = "report_referrals": Admin;
}
