//! Who may do what: how contexts say it of their operations. `OpenAPI` shows it as `x-kith-roles`; the tests probe every
//! line of it.

pub use domain::Role;
use domain::member::Field;

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
    /// Who may call it.
    const MAY: May;
}

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct May {
    /// Operation id in `OpenAPI`, name of the function, name of the file.
    pub id: &'static str,
    /// Facilitators are held to their own groups, members to themselves, inside the operation.
    pub roles: &'static [Role],
    /// What else is known of it.
    pub also: &'static [Also],
}

/// What else is known of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Also {
    /// It reads although it is sent as POST: what it asks for belongs into no path.
    Search,
    /// It is done also when the disk is nearly full: it shuts somebody out, or people have a right to it.
    WhenFull,
    /// Anybody may call it, without a token: it has no roles, and shows what is listed and nothing else.
    Public,
}

impl May {
    /// Whether this is known of it, too.
    pub fn is(&self, also: Also) -> bool {
        self.also.contains(&also)
    }
}

/// Declares the operations of a context: of each a type, its id, which roles may call it, and what else is known of it.
#[macro_export]
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $id:literal: $($role:ident)* $(, $also:ident)*;)+) => {
        $($(#[$doc])* #[derive(Debug)] pub struct $name;

        impl $crate::Operation for $name {
            const MAY: $crate::May =
                $crate::May { id: $id, roles: &[$($crate::Role::$role),*], also: &[$($crate::Also::$also),*] };
        })+

        /// Every operation of the context and who may call it.
        pub const OPERATIONS: &[$crate::May] = &[$(<$name as $crate::Operation>::MAY),+];
    };
}
