//! The operations, and who may call them.

web::operations! {
    /// Revoke a token, or all tokens of a subject.
    RevokeToken = "revoke_token": Admin, WhenFull;
    /// Take back a revocation.
    EndRevocation = "end_revocation": Admin;
    /// Register an API client.
    RegisterClient = "register_client": Admin;
    /// Revoke an API client's key.
    RevokeClient = "revoke_client": Admin, WhenFull;
    /// List API clients.
    ListClients = "list_clients": Admin Auditor;
    /// Assign a facilitator to a group.
    AssignFacilitator = "assign_facilitator": Admin Coordinator;
    /// End an assignment.
    EndAssignment = "end_assignment": Admin Coordinator, WhenFull;
    /// List a group's assignments.
    ListAssignments = "list_assignments": Admin Coordinator Auditor;
}
