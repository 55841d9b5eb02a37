//! The operations, all of them for anybody.

web::operations! {
    /// List groups that are listed.
    ListPublicGroups = "list_public_groups": , Public;
    /// List groups near a place.
    ListGroupsNear = "list_groups_near": , Public;
    /// Export the list for Meeting Guide.
    ExportMeetingGuide = "export_meeting_guide": , Public;
    /// Export the list as HSDS services.
    ExportHsdsServices = "export_hsds_services": , Public;
}
