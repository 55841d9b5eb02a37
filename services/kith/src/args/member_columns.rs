//! The columns of a file of members.

/// All columns, and what each is for.
pub(crate) const MEMBER_COLUMNS: &[(&str, &str)] = &[
    ("alias", "what the member is called in the group; need not be a name"),
    ("given_name", "given name"),
    ("family_name", "family name"),
    ("email", "e-mail address"),
    ("phone", "telephone number, best with its country's prefix, such as +44 20 7946 0001"),
    ("postal_address", "postal address; line breaks become commas"),
    ("year_of_birth", "such as 1984"),
    ("gender", "woman, man, non_binary, other or prefer_not_to_say"),
    ("ethnicity", "asian, black, mixed, white, other or prefer_not_to_say"),
    ("disability", "yes, no or prefer_not_to_say: whether the member lives with a disability"),
    ("carer", "yes, no or prefer_not_to_say: whether the member cares for somebody, unpaid"),
    ("language", "preferred language, such as en or de-AT"),
    ("pronouns", "pronouns, as the member says them"),
    ("notes", "anything else that helps to support the member; line breaks become spaces"),
    ("external_system", "which other system external_id is of; give both where you can"),
    ("external_id", "by which the member is found again when a changed file is sent"),
    ("emergency_name", "whom to call in an emergency; with emergency_phone"),
    ("emergency_phone", "that person's telephone number"),
    (
        "group",
        "id of a group to enrol them in; with starts_on. One more line with the same external id for one more group",
    ),
    ("starts_on", "first day on the group's roster, such as 2026-01-31"),
];

/// All columns and what they are for, as a text.
pub(crate) fn member_columns() -> String {
    let lines = MEMBER_COLUMNS.iter().map(|(name, what)| format!("  {name:16} {what}\n"));
    format!(
        "Columns, in any case and order; none is needed, and an empty cell says nothing:\n{}\n\
        --template prints a file with all of them, to be filled with a spreadsheet.",
        lines.collect::<String>()
    )
}
