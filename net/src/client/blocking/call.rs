//! One request with its repetitions: made by the caller's thread, attempt by attempt.
#![allow(clippy::disallowed_methods, reason = "the blocking adapter is where waiting enters the client")]

use crossbeam::channel::bounded;
use florin_engine::shard::Action;

use super::client::Inner;
use super::clock::until;
use super::command::{Call, CallFault, Command, Route};
use crate::client::ClientError;
use crate::client::core::back_off::BackOff;
use crate::client::core::metadata::{Metadata, MetadataPages};
use crate::protocol::{Code, ErrorResponse, Request, Response};

const CODE_STILL_WORKING: Code = Code(18);

/// What asking twice does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repetition {
    /// Nothing is changed by it.
    Read,
    /// Doing it twice is as good as once, so that it may be repeated after a lost answer.
    Repeatable,
    /// It is done at most once.
    Once,
}

/// A request and how it may be repeated.
pub(super) struct Ask<'a> {
    /// In words, for errors.
    pub(super) what: &'a str,
    pub(super) route: Route,
    pub(super) request: Request,
    pub(super) repetition: Repetition,
    pub(super) deadline_ns: u64,
}

/// Repetitions of one request.
struct Attempts<'a> {
    inner: &'a Inner,
    ask: &'a Ask<'a>,
    back_off: BackOff,
    may_refresh: bool,
    /// Whether an attempt was told that the change goes on without it.
    goes_on: bool,
    /// Why it is not known whether an attempt has changed something. Then nothing but an answer or a refusal says that it has not.
    doubt: Option<String>,
}

impl Inner {
    /// Asks until there is an answer or the time is over.
    pub(super) fn ask(&self, ask: &Ask<'_>) -> Result<Response, ClientError> {
        let mut attempts =
            Attempts { inner: self, ask, back_off: BackOff::default(), may_refresh: true, goes_on: false, doubt: None };
        loop {
            match self.attempt(ask)? {
                Ok(Response::Error(error)) => attempts.on_error(error)?,
                Ok(response) => return Ok(response),
                Err(fault) => attempts.on_fault(fault)?,
            }
        }
    }

    fn attempt(&self, ask: &Ask<'_>) -> Result<Result<Response, CallFault>, ClientError> {
        let (reply, answer) = bounded(1);
        let call = Call { route: ask.route, request: ask.request.clone(), deadline_ns: ask.deadline_ns, reply };
        self.command(Command::Call(call))?;
        answer.recv().map_err(|_| ClientError::Closed)
    }

    /// All pages of the topics; the thread learns them on the way.
    pub(super) fn load_topics(&self, deadline_ns: u64) -> Result<Metadata, ClientError> {
        let mut pages = MetadataPages::default();
        loop {
            let request = Request::Metadata { from: pages.from(), names: Vec::new() };
            let (what, route) = ("listing topics", Route::Any);
            let ask = Ask { what, route, request, repetition: Repetition::Read, deadline_ns };
            let Response::Topics(page) = self.ask(&ask)? else { return Err(self.unexpected("listing topics")) };
            let added = pages.add(page);
            match added {
                Ok(Some(metadata)) => return Ok(metadata),
                Ok(None) => {}
                Err(error) => {
                    let server = self.settings.servers.join(", ");
                    return Err(ClientError::Protocol { server, reason: error.to_string() });
                }
            }
        }
    }

    /// For answers that the decoder, which goes by the request, never gives.
    pub(super) fn unexpected(&self, what: &str) -> ClientError {
        let reason = format!("the answer to {what} is one to something else");
        ClientError::Protocol { server: self.settings.servers.join(", "), reason }
    }
}

impl Attempts<'_> {
    /// Waits before the next attempt, or gives up with this error if there is no time for one.
    fn pause_or(&mut self, error: ClientError) -> Result<(), ClientError> {
        let now_ns = self.inner.clock.now_ns();
        self.back_off.fail(now_ns);
        let resume_ns = self.back_off.not_before_ns();
        if resume_ns >= self.ask.deadline_ns {
            return Err(self.or_doubt(error));
        }
        std::thread::sleep(until(resume_ns, now_ns));
        Ok(())
    }

    fn on_error(&mut self, error: ErrorResponse) -> Result<(), ClientError> {
        let what = self.ask.what.to_owned();
        match error.action {
            Action::Retry if error.code == CODE_STILL_WORKING => {
                self.goes_on = true;
                let reason = error.to_string();
                self.doubts(&reason);
                self.pause_or(ClientError::OutcomeUnknown { what, reason })
            }
            Action::Retry => self.pause_or(ClientError::Refused(error)),
            // A question changes nothing: its answer is not known.
            Action::OutcomeUnknown if self.ask.repetition == Repetition::Read => {
                self.pause_or(ClientError::Refused(error))
            }
            Action::OutcomeUnknown => {
                let reason = error.to_string();
                self.doubts(&reason);
                self.repeat_or(ClientError::OutcomeUnknown { what, reason })
            }
            Action::Refresh if self.may_refresh => self.refresh(),
            // The change that went on came to its end before it was asked for again.
            _ if self.goes_on && error.code == Code::NAME_TAKEN => {
                let reason = "the topic of this name was created meanwhile".to_owned();
                Err(ClientError::OutcomeUnknown { what, reason })
            }
            Action::Refresh | Action::Fenced | Action::FixRequest | Action::AbortTransaction | Action::Fatal => {
                Err(ClientError::Refused(error))
            }
        }
    }

    fn on_fault(&mut self, fault: CallFault) -> Result<(), ClientError> {
        let what = self.ask.what.to_owned();
        match fault {
            CallFault::NotSent { reason } => Err(self.or_doubt(ClientError::Disconnected { what, reason })),
            CallFault::Protocol { server, reason } => Err(self.or_doubt(ClientError::Protocol { server, reason })),
            CallFault::Lost { reason } if self.ask.repetition != Repetition::Once => {
                self.doubts(&reason);
                let is_late = self.inner.clock.now_ns() >= self.ask.deadline_ns;
                let after = self.inner.settings.request_timeout;
                let late = ClientError::TimedOut { what: what.clone(), after };
                self.pause_or(if is_late { late } else { ClientError::Disconnected { what, reason } })
            }
            CallFault::Lost { reason } => Err(ClientError::OutcomeUnknown { what, reason }),
            CallFault::NoRoute if self.may_refresh => self.refresh(),
            CallFault::NoRoute => {
                let nowhere = format!("{what}: no shard has it; list the topics, and look at the shards");
                let code = match self.ask.route {
                    Route::Partition(_) => Code::UNKNOWN_PARTITION,
                    Route::Any | Route::Shard(_) => Code::SHARD_UNAVAILABLE,
                };
                Err(self.or_doubt(ClientError::Refused(ErrorResponse::new(code, nowhere))))
            }
        }
    }

    fn repeat_or(&mut self, error: ClientError) -> Result<(), ClientError> {
        if self.ask.repetition == Repetition::Once { Err(error) } else { self.pause_or(error) }
    }

    /// An attempt may have changed something.
    fn doubts(&mut self, reason: &str) {
        if self.ask.repetition != Repetition::Read {
            self.doubt.get_or_insert_with(|| reason.to_owned());
        }
    }

    /// The error, unless an attempt before may have changed something.
    fn or_doubt(&mut self, error: ClientError) -> ClientError {
        let what = self.ask.what.to_owned();
        self.doubt.take().map_or(error, |reason| ClientError::OutcomeUnknown { what, reason })
    }

    /// Once: if it is still not known where to send it afterwards, nobody knows.
    fn refresh(&mut self) -> Result<(), ClientError> {
        self.may_refresh = false;
        self.inner.load_topics(self.ask.deadline_ns).map(|_learnt| ()).map_err(|error| self.or_doubt(error))
    }
}
