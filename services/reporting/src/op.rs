//! The operations, and who may call them.

web::operations! {
    /// Report reach. Internal until disclosure control guards it.
    ReportReach = "report_reach": Admin;
}
