//! The operations, and who may call them.

web::operations! {
    /// List the instruments there are.
    ListInstruments = "list_instruments": Admin Coordinator Facilitator Analyst Member;
    /// Show one of them, as it is asked.
    ShowInstrument = "show_instrument": Admin Coordinator Facilitator Analyst Member;
    /// Add a version of an instrument.
    AddInstrument = "add_instrument": Admin;
    /// Load an instrument's words, and accept their terms.
    LoadInstrumentTexts = "load_instrument_texts": Admin;
    /// Take an instrument into use.
    UseInstrument = "use_instrument": Admin;
    /// Take an instrument out of use.
    StopUsingInstrument = "stop_using_instrument": Admin;
    /// Ask for check-ins in a programme.
    AskForCheckIns = "ask_for_check_ins": Admin;
    /// Ask for no more.
    StopAskingForCheckIns = "stop_asking_for_check_ins": Admin;
    /// Hold the organisation's duty seat.
    TakeDutySeat = "take_duty_seat": Admin;
    /// Hold a programme's duty seat.
    TakeProgrammeDutySeat = "take_programme_duty_seat": Admin;
    /// Close a programme's duty seat.
    CloseProgrammeDutySeat = "close_programme_duty_seat": Admin;
    /// Set what is said to whoever may be in danger.
    SetCrisisText = "set_crisis_text": Admin;
    /// Set how soon concerns have to be acknowledged.
    SetConcernDeadlines = "set_concern_deadlines": Admin;
    /// Show what is asked when, and who is told.
    ShowProtocol = "show_protocol": Admin Coordinator;
    /// Record a check-in.
    RecordCheckIn = "record_check_in": Admin Coordinator Facilitator Member, WhenFull;
    /// Import check-ins.
    ImportCheckIns = "import_check_ins": Admin Coordinator;
    /// Correct the answers of a check-in.
    CorrectCheckIn = "correct_check_in": Admin Coordinator;
    /// Take back a check-in.
    CheckInEnteredInError = "check_in_entered_in_error": Admin Coordinator;
    /// Set a goal.
    SetGoal = "set_goal": Admin Coordinator Facilitator Member;
    /// Say how near a goal is.
    RateGoal = "rate_goal": Admin Coordinator Facilitator Member;
    /// Pursue a goal no longer.
    EndGoal = "end_goal": Admin Coordinator Facilitator Member;
    /// Raise a concern.
    RaiseConcern = "raise_concern": Admin Coordinator Facilitator Member, WhenFull;
    /// See to a concern.
    AcknowledgeConcern = "acknowledge_concern": Admin Coordinator, WhenFull;
    /// Settle a concern.
    ResolveConcern = "resolve_concern": Admin Coordinator, WhenFull;
    /// List concerns.
    ListConcerns = "list_concerns": Admin Coordinator;
    /// Show a concern.
    ShowConcern = "show_concern": Admin Coordinator;
    /// Show a member's journey.
    ShowJourney = "show_journey": Admin Coordinator Member;
    /// List check-ins that are due in a group.
    ListCheckInsDue = "list_check_ins_due": Admin Coordinator Facilitator;
    /// List a member's check-ins that are due.
    ListMemberCheckInsDue = "list_member_check_ins_due": Admin Coordinator Member;
}
