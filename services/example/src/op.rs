//! The operations, and who may call them.

web::operations! {
    /// Count an example.
    CountExample = "count_example": Admin Coordinator Facilitator;
}
