//! The token of a CI job, asked for at the CI's own endpoint.
//!
//! In: the address and the bearer secret that GitHub Actions gives a job with `id-token: write`
//! (<https://docs.github.com/en/actions/reference/security/oidc>). Out: a [`Token`] for Sigstore's audience.
//! GitLab asks for its tokens itself and hands them over in a variable: nothing is fetched there.

use std::fmt;

use reqwest::Response;
use serde::Deserialize;

use super::services::{Service, safe};
use super::token::{AUDIENCE, Token};
use super::{KeylessError, Trouble, bad_answer, client, refused, unreachable, wait};
use crate::json;

/// The largest answer that is read: tokens have a few thousand bytes.
const ANSWER_BYTES: usize = 256 * 1024;

/// Where a job asks for its token, and the secret that says which job asks.
pub struct TokenRequest {
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
    pub url: String,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub bearer: String,
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TokenRequest").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The endpoint's answer.
#[derive(Deserialize)]
struct Answer {
    value: String,
}

/// Asks for the job's token.
///
/// # Errors
/// [`KeylessError`]: the endpoint can't be reached, refuses, or answers with something else.
pub fn fetch(request: &TokenRequest) -> Result<Token, KeylessError> {
    let mut url = safe(&request.url)?;
    url.query_pairs_mut().append_pair("audience", AUDIENCE);
    let asked = client()?.get(url).bearer_auth(&request.bearer);
    let body = wait(async {
        let response = asked.send().await.map_err(|error| unreachable(&error.to_string()))?;
        read(response).await
    })?;
    let answer =
        body.and_then(|body| json::decode::<Answer>(&body).map_err(|error| bad_answer(&error.to_string())));
    let answer = answer.map_err(|trouble| KeylessError::Service {
        service: Service::Tokens,
        url: request.url.clone(),
        trouble,
    })?;
    Ok(Token::read(&answer.value)?)
}

async fn read(mut response: Response) -> Result<Vec<u8>, Trouble> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| unreachable(&error.to_string()))? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER_BYTES {
            return Err(bad_answer(&format!("it has more than {ANSWER_BYTES} bytes")));
        }
    }
    match status.is_success() {
        true => Ok(body),
        false => Err(refused(status.as_u16(), &String::from_utf8_lossy(&body))),
    }
}
