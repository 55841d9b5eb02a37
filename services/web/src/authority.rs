//! Who may do what: the one table. `OpenAPI` shows it as `x-kith-roles`; the tests probe every line of it.

pub use domain::Role;
use domain::member::Field;

/// Operations that read although they are sent as POST: what they ask for belongs into no path.
pub const SEARCHES: &[&str] = &["search_members"];

/// Operations that are done also when the disk is nearly full: what shuts somebody out, and what people have a right to.
pub const DONE_WHEN_FULL: &[&str] = &[
    "revoke_token",
    "revoke_client",
    "end_assignment",
    "erase_member",
    "withdraw_consent",
    "restrict_processing",
    "object_to_purpose",
];

/// Fields of a member that the role may read, of members whom it may see at all.
pub fn readable(role: Role) -> &'static [Field] {
    match role {
        Role::Admin | Role::Coordinator | Role::Member => Field::ALL,
        // What a meeting needs: whom to greet how, whom to call when something happens.
        Role::Facilitator => {
            &[Field::Alias, Field::GivenName, Field::Pronouns, Field::Language, Field::EmergencyContact]
        }
        Role::Analyst | Role::Partner | Role::Auditor => &[],
    }
}

/// Fields of a member that the role may set, of members whom it may see at all.
pub fn writable(role: Role) -> &'static [Field] {
    match role {
        Role::Admin | Role::Coordinator => Field::ALL,
        Role::Facilitator => {
            &[Field::Alias, Field::GivenName, Field::Pronouns, Field::Language, Field::EmergencyContact]
        }
        Role::Member => &[
            Field::Alias,
            Field::GivenName,
            Field::FamilyName,
            Field::Pronouns,
            Field::Language,
            Field::Email,
            Field::Phone,
            Field::PostalAddress,
            Field::SafeContact,
            Field::EmergencyContact,
            Field::YearOfBirth,
            Field::Gender,
            Field::Ethnicity,
            Field::Disability,
            Field::Carer,
        ],
        Role::Analyst | Role::Partner | Role::Auditor => &[],
    }
}

/// An operation, as a type that extractors carry.
pub trait Operation: Send + Sync + 'static {
    /// Operation id in `OpenAPI`, name of the function, name of the file.
    const ID: &'static str;
    /// Who may call it. Facilitators are held to their own groups, members to themselves, inside the operation.
    const ROLES: &'static [Role];
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $id:literal: $($role:ident)+;)+) => {
        /// One type for each operation.
        pub mod op {
            $($(#[$doc])* #[derive(Debug)] pub struct $name;)+
        }
        $(impl Operation for op::$name {
            const ID: &'static str = $id;
            const ROLES: &'static [Role] = &[$(Role::$role),+];
        })+
        /// Every operation and who may call it.
        pub const TABLE: &[(&str, &[Role])] = &[$(($id, &[$(Role::$role),+])),+];
    };
}

operations! {
    // Directory
    /// Register a programme.
    RegisterProgramme = "register_programme": Admin;
    /// Register a group.
    RegisterGroup = "register_group": Admin Coordinator;
    /// Change a group's details.
    ChangeGroup = "change_group": Admin Coordinator;
    /// Set a group's calendar.
    ScheduleGroup = "schedule_group": Admin Coordinator;
    /// Plan a group's meetings.
    PlanMeetings = "plan_meetings": Admin Coordinator;
    /// Import a BMLT listing.
    ImportBmlt = "import_bmlt": Admin;
    // Membership
    /// Register a member.
    RegisterMember = "register_member": Admin Coordinator Facilitator;
    /// Change what is known of a member.
    ChangeMember = "change_member": Admin Coordinator Facilitator Member;
    /// Import members.
    ImportMembers = "import_members": Admin Coordinator;
    /// Keep a consent.
    GiveConsent = "give_consent": Admin Coordinator Member;
    /// Withdraw a consent.
    WithdrawConsent = "withdraw_consent": Admin Coordinator Member;
    /// List texts of the law that go with disclosures.
    ListNotices = "list_notices": Admin Coordinator Member Auditor;
    /// Restrict use of a record, or lift that.
    RestrictProcessing = "restrict_processing": Admin Coordinator Member;
    /// Object to a purpose, or take that back.
    ObjectToPurpose = "object_to_purpose": Admin Coordinator Member;
    /// Place a legal hold.
    PlaceHold = "place_hold": Admin;
    /// Lift a legal hold.
    LiftHold = "lift_hold": Admin;
    /// Merge a record into another.
    MergeMember = "merge_member": Admin Coordinator;
    /// Undo a merge.
    UnmergeMember = "unmerge_member": Admin Coordinator;
    /// Break the glass.
    BreakGlass = "break_glass": Facilitator Auditor;
    /// Review a breaking of the glass.
    ReviewGlass = "review_glass": Admin Auditor;
    /// Erase a member.
    EraseMember = "erase_member": Admin;
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
    /// Take back an enrolment that never was.
    EnrolmentEnteredInError = "enrolment_entered_in_error": Admin Coordinator Facilitator;
    // Attendance
    /// Open a meeting's register.
    OpenMeeting = "open_meeting": Admin Coordinator Facilitator;
    /// Close a meeting's register: it was held.
    HoldMeeting = "hold_meeting": Admin Coordinator Facilitator;
    /// Cancel a meeting.
    CancelMeeting = "cancel_meeting": Admin Coordinator Facilitator;
    /// Say that a meeting did not occur.
    MeetingDidNotOccur = "meeting_did_not_occur": Admin Coordinator Facilitator;
    /// Take back a cancellation.
    ReinstateMeeting = "reinstate_meeting": Admin Coordinator Facilitator;
    /// Mark one member.
    RecordAttendance = "record_attendance": Admin Coordinator Facilitator;
    /// Mark many members.
    RecordRegister = "record_register": Admin Coordinator Facilitator;
    /// Add a walk-in.
    AddWalkIn = "add_walk_in": Admin Coordinator Facilitator;
    /// Correct one member's attendance.
    CorrectAttendance = "correct_attendance": Admin Coordinator Facilitator;
    /// Count anonymous heads.
    RecordHeadcount = "record_headcount": Admin Coordinator Facilitator;
    // Views
    /// List programmes.
    ListProgrammes = "list_programmes": Admin Coordinator Facilitator Auditor;
    /// List groups.
    ListGroups = "list_groups": Admin Coordinator Facilitator Auditor;
    /// Show a group.
    ShowGroup = "show_group": Admin Coordinator Facilitator Auditor;
    /// List a group's meetings.
    ListMeetings = "list_meetings": Admin Coordinator Facilitator Auditor;
    /// Show a group's roster.
    ShowRoster = "show_roster": Admin Coordinator Facilitator Auditor;
    /// Show a meeting's register.
    ShowRegister = "show_register": Admin Coordinator Facilitator Auditor;
    /// Show a member.
    ShowMember = "show_member": Admin Coordinator Facilitator Member Auditor;
    /// Search members by name.
    SearchMembers = "search_members": Admin Coordinator Facilitator;
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
    /// List overdue registers.
    ListOverdueRegisters = "list_overdue_registers": Admin Coordinator;
    // Reports
    /// Report reach. Internal until disclosure control guards it.
    ReportReach = "report_reach": Admin;
    // Access
    /// Revoke a token, or all tokens of a subject.
    RevokeToken = "revoke_token": Admin;
    /// Take back a revocation.
    EndRevocation = "end_revocation": Admin;
    /// Register an API client.
    RegisterClient = "register_client": Admin;
    /// Revoke an API client's key.
    RevokeClient = "revoke_client": Admin;
    /// List API clients.
    ListClients = "list_clients": Admin Auditor;
    /// Assign a facilitator to a group.
    AssignFacilitator = "assign_facilitator": Admin Coordinator;
    /// End an assignment.
    EndAssignment = "end_assignment": Admin Coordinator;
    /// List a group's assignments.
    ListAssignments = "list_assignments": Admin Coordinator Auditor;
}
