//! The operations, and who may call them.

web::operations! {
    /// Register a partner.
    RegisterPartner = "register_partner": Admin Coordinator;
    /// Change a partner's details.
    ChangePartner = "change_partner": Admin Coordinator;
    /// Close a partner.
    ClosePartner = "close_partner": Admin Coordinator;
    /// Open a partner again.
    ReopenPartner = "reopen_partner": Admin Coordinator;
    /// Describe a service of a partner.
    DescribeService = "describe_service": Admin Coordinator;
    /// Ask whether a service can take a person.
    AskCapacity = "ask_capacity": Admin Coordinator;
    /// Say whether a service can take a person.
    StateCapacity = "state_capacity": Admin Coordinator;
    /// Import partners from an HSDS directory.
    ImportHsds = "import_hsds": Admin Coordinator;
    /// Set the clocks of referrals.
    SetReferralClocks = "set_referral_clocks": Admin Coordinator;
    /// Show the clocks of referrals.
    ShowReferralClocks = "show_referral_clocks": Admin Coordinator;
    /// Set the clocks of referrals to one partner.
    SetPartnerClocks = "set_partner_clocks": Admin Coordinator;
    /// Remove a partner's own clocks.
    RemovePartnerClocks = "remove_partner_clocks": Admin Coordinator;
    /// List partners.
    ListPartners = "list_partners": Admin Coordinator Facilitator;
    /// Show a partner.
    ShowPartner = "show_partner": Admin Coordinator Facilitator;
    /// List services that members can be referred to.
    ListServices = "list_services": Admin Coordinator Facilitator;
}
