//! The operations, and who may call them.

web::operations! {
    /// Register a member.
    RegisterMember = "register_member": Admin Coordinator Facilitator;
    /// Change what is known of a member.
    ChangeMember = "change_member": Admin Coordinator Facilitator Member;
    /// Import members.
    ImportMembers = "import_members": Admin Coordinator;
    /// Keep a consent.
    GiveConsent = "give_consent": Admin Coordinator Member;
    /// Withdraw a consent.
    WithdrawConsent = "withdraw_consent": Admin Coordinator Member, WhenFull;
    /// List texts of the law that go with disclosures.
    ListNotices = "list_notices": Admin Coordinator Member Auditor;
    /// Restrict use of a record, or lift that.
    RestrictProcessing = "restrict_processing": Admin Coordinator Member, WhenFull;
    /// Object to a purpose, or take that back.
    ObjectToPurpose = "object_to_purpose": Admin Coordinator Member, WhenFull;
    /// Place a legal hold.
    PlaceHold = "place_hold": Admin;
    /// Lift a legal hold.
    LiftHold = "lift_hold": Admin;
    /// Merge a record into another.
    MergeMember = "merge_member": Admin Coordinator;
    /// Undo a merge.
    UnmergeMember = "unmerge_member": Admin Coordinator;
    /// Say that two records are of two people.
    TellApart = "tell_apart": Admin Coordinator;
    /// Break the glass.
    BreakGlass = "break_glass": Facilitator Auditor;
    /// Review a breaking of the glass.
    ReviewGlass = "review_glass": Admin Auditor;
    /// Erase a member.
    EraseMember = "erase_member": Admin, WhenFull;
    /// Say how many places a group has.
    SetCapacity = "set_capacity": Admin Coordinator;
    /// Put somebody down as asking for a place.
    ApplyToGroup = "apply_to_group": Admin Coordinator Facilitator;
    /// Say no to somebody who asks or waits.
    DeclineApplication = "decline_application": Admin Coordinator Facilitator;
    /// Enrol a member in a group.
    EnrolMember = "enrol_member": Admin Coordinator Facilitator;
    /// Confirm what a facilitator recorded.
    ConfirmEnrolment = "confirm_enrolment": Admin Coordinator Member;
    /// Withdraw a member from a group.
    WithdrawMember = "withdraw_member": Admin Coordinator Facilitator;
    /// End an enrolment as agreed.
    CompleteEnrolment = "complete_enrolment": Admin Coordinator Facilitator;
    /// Give up an enrolment before its first day.
    CancelEnrolment = "cancel_enrolment": Admin Coordinator Facilitator;
    /// Correct the days of an enrolment.
    CorrectEnrolment = "correct_enrolment": Admin Coordinator;
    /// Give somebody another turn on the waiting list.
    MoveTurn = "move_turn": Admin Coordinator;
    /// Take back an enrolment that never was.
    EnrolmentEnteredInError = "enrolment_entered_in_error": Admin Coordinator Facilitator;
}
