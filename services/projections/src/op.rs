//! The operations, and who may call them.

web::operations! {
    /// List programmes.
    ListProgrammes = "list_programmes": Admin Coordinator Facilitator Auditor;
    /// List groups.
    ListGroups = "list_groups": Admin Coordinator Facilitator Auditor;
    /// Show a group.
    ShowGroup = "show_group": Admin Coordinator Facilitator Auditor;
    /// Show how to take part in a group from elsewhere.
    ShowJoining = "show_joining": Admin Coordinator Facilitator Member;
    /// Show a group's vitality.
    ShowVitality = "show_vitality": Admin Coordinator Facilitator;
    /// List meetings across groups.
    ListMeetings = "list_meetings": Admin Coordinator Facilitator Auditor;
    /// List a group's meetings.
    ListGroupMeetings = "list_group_meetings": Admin Coordinator Facilitator Auditor;
    /// Show a group's roster.
    ShowRoster = "show_roster": Admin Coordinator Facilitator Auditor;
    /// Show a meeting's register.
    ShowRegister = "show_register": Admin Coordinator Facilitator Auditor;
    /// Show attendance as a table.
    ShowAttendance = "show_attendance": Admin Coordinator Facilitator Auditor;
    /// Show a member.
    ShowMember = "show_member": Admin Coordinator Facilitator Member Auditor;
    /// Search members by name.
    SearchMembers = "search_members": Admin Coordinator Facilitator, Search;
    /// Say what a merge would change.
    PreviewMerge = "preview_merge": Admin Coordinator;
    /// Show a member's whole record.
    ShowRecord = "show_record": Admin Member;
    /// List who opened a member's record.
    ListAccesses = "list_accesses": Admin Member Auditor;
    /// List all openings of records.
    ListAudit = "list_audit": Auditor;
    /// List broken glass that nobody has reviewed.
    ListBrokenGlass = "list_broken_glass": Admin Auditor;
    /// List enrolments that nobody with authority has confirmed.
    ListUnconfirmedEnrolments = "list_unconfirmed_enrolments": Admin Coordinator;
    /// List what there is to do.
    ListQueue = "list_queue": Admin Coordinator Facilitator Auditor;
    /// List what is in whose care.
    ListCaseloads = "list_caseloads": Admin Coordinator;
    /// Follow what changes.
    FollowChanges = "follow_changes": Admin Coordinator Facilitator Member Auditor;
    /// List overdue registers.
    ListOverdueRegisters = "list_overdue_registers": Admin Coordinator Facilitator;
}
