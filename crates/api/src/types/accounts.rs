//! Accounts and sessions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A name and its password: to register, and to log in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The member's name.
    #[schema(example = "ana")]
    pub name: String,
    /// 8 to 1,024 bytes.
    #[schema(format = Password, example = "una frase larga")]
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A change of one's own password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password until now.
    #[schema(format = Password)]
    pub current_password: String,
    /// The password from now on, 8 to 1,024 bytes.
    #[schema(format = Password)]
    pub new_password: String,
}

impl std::fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordChange").finish_non_exhaustive()
    }
}

/// An open session. The token is shown only here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Goes into `Authorization: Bearer`.
    pub token: String,
    /// Account id.
    pub account: i64,
    /// The member's name.
    pub name: String,
    /// When the session ends.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Whose session this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CurrentSession {
    /// Account id.
    pub account: i64,
    /// The member's name.
    pub name: String,
    /// Whether the member administers.
    pub administrator: bool,
    /// When the session ends.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Account id.
    pub id: i64,
    /// The member's name.
    pub name: String,
    /// Whether the member administers.
    pub administrator: bool,
    /// When the account was made; absent in the answer to the registration itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub created_at: Option<String>,
}

/// A page of accounts, ordered by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accounts {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// Goes into `?after=` for the next page; `null` on the last one.
    pub next: Option<String>,
}
