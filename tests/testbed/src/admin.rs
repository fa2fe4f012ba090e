//! A typed client of the simulator's admin path. In: what a test wants to read or to change. Out: the simulator's own types.
//! Talks to the simulator over HTTP.

use std::time::Duration;

use cloudfront_simulator::admin::{
    AdminError, AnycastIpList, Clock, ClockAdvance, DistributionTenant, Fault, FaultCreated, FaultId, FaultRule,
    FaultStatus, GroupPatch, GroupState, ListPatch, LoggedCall, Moment, NewGroup, NewList, NewTenant, OperationFilter,
    State, Switches,
};
use reqwest::{Method, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Why a request to the admin path failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The simulator could not be reached, or its answer could not be read.
    #[error("the simulator's admin path cannot be reached: {0}")]
    Http(#[from] reqwest::Error),
    /// The simulator refused.
    #[error("the simulator refused {what}: {status}: {reason}")]
    Refused {
        /// The request.
        what: String,
        /// The HTTP status.
        status: u16,
        /// Its reason, in words.
        reason: String,
    },
    /// The URL of the simulator is not a URL.
    #[error("{url} is not the URL of a simulator")]
    Url {
        /// The text.
        url: String,
    },
    /// What was awaited did not happen.
    #[error("{what} did not happen within {within:?}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        within: Duration,
    },
}

/// The admin path of one simulator.
#[derive(Clone, Debug)]
pub struct AdminClient {
    http: reqwest::Client,
    base: Url,
}

impl AdminClient {
    /// The admin path of the simulator at `url` (`http://127.0.0.1:PORT`).
    ///
    /// # Errors
    /// If `url` is not a URL.
    pub fn new(url: &str) -> Result<Self, Error> {
        let refused = || Error::Url { url: url.to_owned() };
        let mut base = Url::parse(url).map_err(|_| refused())?;
        base.path_segments_mut().map_err(|()| refused())?.pop_if_empty().push("_admin");
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { http, base })
    }

    /// The calls of the API with a number above `since`; 0 for all that are in the log.
    ///
    /// # Errors
    /// As any method of this client: [`Error::Http`] and [`Error::Refused`].
    pub async fn requests(&self, since: u64) -> Result<Vec<LoggedCall>, Error> {
        let mut url = self.url(&["requests"]);
        url.query_pairs_mut().append_pair("since", &since.to_string());
        read(&url, self.http.get(url.clone()).send().await?).await
    }

    /// Forgets the calls so far. Their numbers are not given again.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn clear_requests(&self) -> Result<(), Error> {
        self.order(Method::DELETE, &["requests"], &()).await
    }

    /// Puts a fault in place.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn add_fault(&self, rule: &FaultRule) -> Result<FaultId, Error> {
        let created: FaultCreated = self.ask(Method::POST, &["faults"], rule).await?;
        Ok(created.id)
    }

    /// Injects `fault` into the next call of `operation`.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn fault_once(&self, operation: impl Into<OperationFilter>, fault: Fault) -> Result<FaultId, Error> {
        self.add_fault(&rule(operation, Some(1), fault)).await
    }

    /// Injects `fault` into all calls of `operation`, until it is deleted.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn fault_always(&self, operation: impl Into<OperationFilter>, fault: Fault) -> Result<FaultId, Error> {
        self.add_fault(&rule(operation, None, fault)).await
    }

    /// The next call of `operation` is answered with this error and has no effect.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn fail_once(
        &self,
        operation: impl Into<OperationFilter>,
        status: u16,
        code: &str,
        message: &str,
    ) -> Result<FaultId, Error> {
        let (code, message) = (code.to_owned(), message.to_owned());
        self.fault_once(operation, Fault::Error { status, code, message, when: Moment::Before }).await
    }

    /// The connection of the next call of `operation` is closed without an answer.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn drop_once(&self, operation: impl Into<OperationFilter>, when: Moment) -> Result<FaultId, Error> {
        self.fault_once(operation, Fault::Drop { when }).await
    }

    /// The next call of `operation` is held until [`Self::release`] or [`Self::delete_fault`].
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn hold_once(&self, operation: impl Into<OperationFilter>, when: Moment) -> Result<FaultId, Error> {
        self.fault_once(operation, Fault::Hold { when }).await
    }

    /// The next `times` calls of `operation` are throttled.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn throttle(&self, operation: impl Into<OperationFilter>, times: u32) -> Result<FaultId, Error> {
        self.add_fault(&rule(operation, Some(times), Fault::Throttle)).await
    }

    /// The faults in place, with what they did so far.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn faults(&self) -> Result<Vec<FaultStatus>, Error> {
        self.ask(Method::GET, &["faults"], &()).await
    }

    /// Waits until a call is held at the fault `id`.
    ///
    /// # Errors
    /// [`Error::TimedOut`] if none is within `within`; otherwise as any method of this client.
    pub async fn wait_until_held(&self, id: FaultId, within: Duration) -> Result<(), Error> {
        let is_held = async {
            while !self.faults().await?.iter().any(|fault| fault.id == id && fault.held > 0) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        };
        let timed_out = |_| Error::TimedOut { what: format!("a call held at fault {id}"), within };
        tokio::time::timeout(within, is_held).await.map_err(timed_out)?
    }

    /// Lets the calls that are held at the fault `id` continue.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn release(&self, id: FaultId) -> Result<(), Error> {
        self.order(Method::POST, &["faults", &id.to_string(), "release"], &()).await
    }

    /// Removes a fault. The connections of calls that are held at it are closed.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn delete_fault(&self, id: FaultId) -> Result<(), Error> {
        self.order(Method::DELETE, &["faults", &id.to_string()], &()).await
    }

    /// Removes all faults.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn delete_faults(&self) -> Result<(), Error> {
        self.order(Method::DELETE, &["faults"], &()).await
    }

    /// Moves the simulator's clock ahead.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn advance_clock(&self, by: Duration) -> Result<Clock, Error> {
        let advance_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.ask(Method::POST, &["clock"], &ClockAdvance { advance_ms }).await
    }

    /// Everything in the account.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn state(&self) -> Result<State, Error> {
        self.ask(Method::GET, &["state"], &()).await
    }

    /// The group of that name or id, if there is one.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn group(&self, identifier: &str) -> Result<Option<GroupState>, Error> {
        Ok(self.state().await?.group(identifier).cloned())
    }

    /// Changes the switches named in `changes`, such as `{"detach": "never", "propagation": "0s"}`; answers with all.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn set_switches(&self, changes: &Value) -> Result<Switches, Error> {
        self.ask(Method::PUT, &["switches"], changes).await
    }

    /// Another client creates a group.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn create_group(&self, group: &NewGroup) -> Result<GroupState, Error> {
        self.ask(Method::POST, &["groups"], group).await
    }

    /// Another client edits a group (name, id or ARN).
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn edit_group(&self, identifier: &str, patch: &GroupPatch) -> Result<GroupState, Error> {
        self.ask(Method::PATCH, &["groups", identifier], patch).await
    }

    /// Another client deletes a group (name, id or ARN), whatever its state.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn delete_group(&self, identifier: &str) -> Result<(), Error> {
        self.order(Method::DELETE, &["groups", identifier], &()).await
    }

    /// CloudFront creates the default group; returns the existing one, if there is one.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn create_default_group(&self) -> Result<GroupState, Error> {
        self.ask(Method::POST, &["default-group"], &json!({})).await
    }

    /// Another client creates an Anycast IP list.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn create_list(&self, list: &NewList) -> Result<AnycastIpList, Error> {
        self.ask(Method::POST, &["anycast-lists"], list).await
    }

    /// Another client edits an Anycast IP list.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn edit_list(&self, id: &str, patch: ListPatch) -> Result<AnycastIpList, Error> {
        self.ask(Method::PATCH, &["anycast-lists", id], &patch).await
    }

    /// Another client deletes an Anycast IP list, whatever groups use it.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn delete_list(&self, id: &str) -> Result<(), Error> {
        self.order(Method::DELETE, &["anycast-lists", id], &()).await
    }

    /// Someone attaches a tenant to a group.
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn create_tenant(&self, tenant: &NewTenant) -> Result<DistributionTenant, Error> {
        self.ask(Method::POST, &["tenants"], tenant).await
    }

    /// Someone removes a tenant (name or id).
    ///
    /// # Errors
    /// As any method of this client.
    pub async fn delete_tenant(&self, identifier: &str) -> Result<(), Error> {
        self.order(Method::DELETE, &["tenants", identifier], &()).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: &(impl Serialize + Sync),
    ) -> Result<T, Error> {
        let url = self.url(path);
        read(&url, self.http.request(method, url.clone()).json(body).send().await?).await
    }

    async fn order(&self, method: Method, path: &[&str], body: &(impl Serialize + Sync)) -> Result<(), Error> {
        let url = self.url(path);
        accepted(&url, self.http.request(method, url.clone()).json(body).send().await?).await.map(drop)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // `new` has ensured that the URL has a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url
    }
}

fn rule(operation: impl Into<OperationFilter>, times: Option<u32>, fault: Fault) -> FaultRule {
    FaultRule { times, ..FaultRule::new(operation, fault) }
}

async fn read<T: DeserializeOwned>(url: &Url, response: Response) -> Result<T, Error> {
    Ok(accepted(url, response).await?.json().await?)
}

async fn accepted(url: &Url, response: Response) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await?;
    let reason = serde_json::from_str(&text).map_or(text, |AdminError { error }| error);
    Err(Error::Refused { what: url.path().to_owned(), status: status.as_u16(), reason })
}
