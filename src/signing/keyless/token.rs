//! An OIDC identity token: whom it names, who vouches for that, until when.
//!
//! In: a JWT (<https://www.rfc-editor.org/rfc/rfc7519>), wherever it came from. Out: [`Token`].
//! Its signature is not checked: only the authority that it is sent to can judge it, and what is read here is
//! shown and compared, never believed.

use std::fmt;

use sigstore_sign::oidc::IdentityToken;

use crate::evidence::limits::quoted;
use crate::time::{self, Timestamp};

/// The audience that Sigstore's public instances ask for, and most private ones too.
pub const AUDIENCE: &str = "sigstore";

/// A token; its text goes to the authority and nowhere else.
pub struct Token {
    wire: IdentityToken,
    expires: Timestamp,
}

/// Why a token can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No JWT, or one without the claims that every such token has.
    #[error("the identity token cannot be read: {problem}")]
    Unreadable {
        /// What is wrong with it.
        problem: String,
    },
    /// Its time is over.
    #[error("the identity token of `{identity}` expired at {}", time::to_seconds(*at))]
    Expired {
        /// Whose.
        identity: String,
        /// When.
        at: Timestamp,
    },
    /// Made for somebody else.
    #[error("the identity token is for the audience {got}, and `{wanted}` is wanted")]
    Audience {
        /// Whom it must be for.
        wanted: &'static str,
        /// Whom it is for.
        got: String,
    },
}

impl Token {
    /// Reads a JWT.
    ///
    /// # Errors
    /// [`TokenError::Unreadable`].
    pub fn read(jwt: &str) -> Result<Self, TokenError> {
        let unreadable = |problem: String| TokenError::Unreadable { problem };
        let wire =
            IdentityToken::from_jwt(jwt.trim()).map_err(|error| unreadable(quoted(&error.to_string())))?;
        let expires = Timestamp::from_timestamp(wire.expiration().as_second(), 0)
            .ok_or_else(|| unreadable("`exp` is no time".to_owned()))?;
        Ok(Self { wire, expires })
    }

    /// Whom it names: an e-mail address where it has one, else its subject.
    pub fn identity(&self) -> &str {
        self.wire.identity()
    }

    /// Who vouches for that.
    pub fn issuer(&self) -> &str {
        self.wire.issuer()
    }

    /// When its time is over.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Whom it is for, as a text.
    pub fn audience(&self) -> String {
        use sigstore_sign::oidc::Audience;
        match &self.wire.claims().aud {
            Audience::Single(one) => format!("`{}`", quoted(one)),
            Audience::Multiple(several) => format!("`{}`", quoted(&several.join(", "))),
            _ => "of nobody".to_owned(),
        }
    }

    pub(super) fn is_in_date(&self, now: Timestamp) -> Result<(), TokenError> {
        match self.expires > now {
            true => Ok(()),
            false => Err(TokenError::Expired { identity: quoted(self.identity()), at: self.expires }),
        }
    }

    pub(super) fn is_for(&self, wanted: &'static str) -> Result<(), TokenError> {
        match self.wire.claims().aud.contains(wanted) {
            true => Ok(()),
            false => Err(TokenError::Audience { wanted, got: self.audience() }),
        }
    }

    /// In the library's terms.
    pub(super) fn wire(&self) -> &IdentityToken {
        &self.wire
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Token").field("identity", &self.identity()).finish_non_exhaustive()
    }
}
