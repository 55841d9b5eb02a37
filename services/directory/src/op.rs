//! The operations, and who may call them.

web::operations! {
    /// Register a programme.
    RegisterProgramme = "register_programme": Admin;
    /// Register a group.
    RegisterGroup = "register_group": Admin Coordinator;
    /// Change a group's details.
    ChangeGroup = "change_group": Admin Coordinator;
    /// Set a group's calendar.
    ScheduleGroup = "schedule_group": Admin Coordinator;
    /// Change one occurrence of a group's calendar.
    ChangeOccurrence = "change_occurrence": Admin Coordinator Facilitator;
    /// Restore one occurrence of a group's calendar.
    RestoreOccurrence = "restore_occurrence": Admin Coordinator Facilitator;
    /// Plan a group's meetings.
    PlanMeetings = "plan_meetings": Admin Coordinator;
    /// Import a BMLT listing.
    ImportBmlt = "import_bmlt": Admin;
}
