//! The operations, and who may call them.

web::operations! {
    /// Register an endpoint.
    RegisterEndpoint = "register_endpoint": Admin;
    /// Change an endpoint.
    ChangeEndpoint = "change_endpoint": Admin;
    /// Make a new secret for an endpoint.
    RotateEndpointSecret = "rotate_endpoint_secret": Admin;
    /// Send to an endpoint again.
    EnableEndpoint = "enable_endpoint": Admin;
    /// Send nothing to an endpoint for now.
    DisableEndpoint = "disable_endpoint": Admin, WhenFull;
    /// Remove an endpoint.
    RemoveEndpoint = "remove_endpoint": Admin, WhenFull;
    /// Try whether an endpoint takes something.
    TestEndpoint = "test_endpoint": Admin;
    /// Send messages to an endpoint once more.
    ReplayMessages = "replay_messages": Admin;
    /// Set one's own mailbox.
    SetMailbox = "set_mailbox": Admin Coordinator Facilitator;
    /// Confirm one's own mailbox.
    ConfirmMailbox = "confirm_mailbox": Admin Coordinator Facilitator;
    /// Remove one's own mailbox.
    RemoveMailbox = "remove_mailbox": Admin Coordinator Facilitator, WhenFull;
    /// Show one's own mailbox.
    ShowMailbox = "show_mailbox": Admin Coordinator Facilitator;
    /// List what is written to members.
    ListOutbox = "list_outbox": Admin Coordinator;
    /// List endpoints.
    ListEndpoints = "list_endpoints": Admin Auditor;
    /// Show an endpoint.
    ShowEndpoint = "show_endpoint": Admin Auditor;
}
