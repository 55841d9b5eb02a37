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
    /// Say how to take part in a group from elsewhere.
    SetJoining = "set_joining": Admin Coordinator Facilitator;
    /// Change one occurrence of a group's calendar.
    ChangeOccurrence = "change_occurrence": Admin Coordinator Facilitator;
    /// Restore one occurrence of a group's calendar.
    RestoreOccurrence = "restore_occurrence": Admin Coordinator Facilitator;
    /// Plan a group's meetings.
    PlanMeetings = "plan_meetings": Admin Coordinator;
    /// Import a BMLT listing.
    ImportBmlt = "import_bmlt": Admin;
    /// Import a Meeting Guide feed.
    ImportMeetingGuide = "import_meeting_guide": Admin;
    /// Import rows of a NAWS export.
    ImportNaws = "import_naws": Admin;
    /// Import groups from rows.
    ImportGroups = "import_groups": Admin;
    /// Import a file of calendars.
    ImportCalendar = "import_calendar": Admin;
    /// Issue a calendar to subscribe to.
    IssueCalendar = "issue_calendar": Admin Coordinator Facilitator;
    /// Revoke one.
    RevokeCalendar = "revoke_calendar": Admin Coordinator Facilitator, WhenFull;
    /// List those that were issued.
    ListCalendars = "list_calendars": Admin Coordinator Facilitator;
    /// Show one to whoever has its address.
    ShowCalendar = "show_calendar": , Public;
    /// Show a listed group's calendar.
    ShowGroupCalendar = "show_group_calendar": , Public;
}
