//! The operations, and who may call them.

web::operations! {
    /// Open a meeting's register.
    OpenMeeting = "open_meeting": Admin Coordinator Facilitator;
    /// Close a meeting's register: it was held.
    CloseRegister = "close_register": Admin Coordinator Facilitator;
    /// Cancel a meeting.
    CancelMeeting = "cancel_meeting": Admin Coordinator Facilitator;
    /// Say that a meeting did not occur.
    MeetingDidNotOccur = "meeting_did_not_occur": Admin Coordinator Facilitator;
    /// Take back a cancellation.
    ReinstateMeeting = "reinstate_meeting": Admin Coordinator Facilitator;
    /// Open a register again.
    ReopenRegister = "reopen_register": Admin Coordinator Facilitator;
    /// Say all of a meeting at once.
    ReportMeeting = "report_meeting": Admin Coordinator Facilitator;
    /// Mark one member.
    RecordAttendance = "record_attendance": Admin Coordinator Facilitator;
    /// Take a mark back.
    TakeBackAttendance = "take_back_attendance": Admin Coordinator Facilitator;
    /// Mark many members.
    RecordRegister = "record_register": Admin Coordinator Facilitator;
    /// Add a walk-in.
    AddWalkIn = "add_walk_in": Admin Coordinator Facilitator;
    /// Correct one member's attendance.
    CorrectAttendance = "correct_attendance": Admin Coordinator Facilitator;
    /// Count anonymous heads.
    RecordHeadcount = "record_headcount": Admin Coordinator Facilitator;
    /// Record how members say they feel.
    RecordMoods = "record_moods": Admin Coordinator Facilitator;
    /// Record how a meeting went.
    RecordStructure = "record_structure": Admin Coordinator Facilitator;
    /// Import attendance of the past.
    ImportAttendance = "import_attendance": Admin Coordinator;
}
