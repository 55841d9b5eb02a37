//! The operations, and who may call them.

web::operations! {
    /// Keep a consent to disclose.
    AllowDisclosure = "allow_disclosure": Admin Coordinator Member;
    /// Withdraw a consent to disclose.
    WithdrawDisclosure = "withdraw_disclosure": Admin Coordinator Member, WhenFull;
    /// Withdraw all of them.
    WithdrawAllDisclosures = "withdraw_all_disclosures": Admin Coordinator Member, WhenFull;
    /// State a need.
    StateNeed = "state_need": Admin Coordinator Facilitator Member;
    /// Say a need otherwise.
    ChangeNeed = "change_need": Admin Coordinator Facilitator Member;
    /// Close a need.
    CloseNeed = "close_need": Admin Coordinator Member;
    /// Draft a referral.
    DraftReferral = "draft_referral": Admin Coordinator Facilitator Member;
    /// Preview what a partner will read.
    PreviewReferral = "preview_referral": Admin Coordinator Member, Search;
    /// Send a referral.
    SendReferral = "send_referral": Admin Coordinator;
    /// Send a referral without consent.
    OverrideDisclosure = "override_disclosure": Admin Coordinator;
    /// Review a disclosure without consent.
    ReviewOverride = "review_override": Admin Coordinator;
    /// Record a step of a referral.
    RecordReferralStep = "record_referral_step": Admin Coordinator Member;
    /// Let a member be referred to a partner again.
    LiftRest = "lift_rest": Admin Coordinator;
    /// Issue a link.
    IssueLink = "issue_link": Admin Coordinator;
    /// Revoke a link.
    RevokeLink = "revoke_link": Admin Coordinator Member, WhenFull;
    /// Show a member's referrals.
    ShowReferrals = "show_referrals": Admin Coordinator Member;
    /// Export a need.
    ExportNeed = "export_need": Admin Coordinator;
    /// List referrals.
    ListReferrals = "list_referrals": Admin Coordinator;
    /// List what was sent to a partner.
    ListPartnerReferrals = "list_partner_referrals": Partner;
    /// Open a referral as the partner.
    OpenReferral = "open_referral": Partner;
    /// Record a partner's step of a referral.
    RecordPartnerStep = "record_partner_step": Partner;
    /// Follow a link.
    FollowLink = "follow_link": Partner Member;
    /// Record a step by a link.
    RecordLinkStep = "record_link_step": Partner Member;
}
