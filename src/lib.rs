//! A Kubernetes operator that removes Microsoft 365 profile photos. A `PhotoRemoval` names one user, one group, or the
//! user who signed in; the operator calls Microsoft Graph's
//! [Delete profilePhoto](https://learn.microsoft.com/graph/api/profilephoto-delete) with credentials that the resource
//! refers to, keeps trying where trying helps, stops where it does not, and writes what happened, with evidence, into the
//! resource's status.
//!
//! This page is the map. The README speaks to users.
//!
//! # What always holds
//!
//! 1. A photo is deleted only because a `PhotoRemoval` names its owner. Deleting the resource sends nothing; there is no
//!    finalizer.
//! 2. Once an outcome is recorded, no further DELETE is sent for that object, unless `recheckInterval` asks for it.
//! 3. An outcome is recorded only when Graph said so. An unclear answer is never called success.
//! 4. Every object ends: `Ready=True`, or `Stalled=True` with a reason and what to do about it, or it says when it is
//!    tried next, or it waits for its credential, which is looked after.
//! 5. Graph is never called before a `Retry-After` has passed, and one bad credential costs one problem, not one per
//!    object.
//! 6. No secret and no token appears in a log, event, status, metric, panic or error, at any log level.
//! 7. A resource can use only credentials of its own namespace. No field holds a URL or a host.
//! 8. Idle objects cost nothing: no Graph call, no write, no poll.
//!
//! # The way of one object
//!
//! ```text
//! cluster::watch ─► operator::reconcile ─► lifecycle::decide ─► Rest, WaitUntil, Record
//!                                              │ Remove
//!                              identity: is the credential signed in?    no: parked, woken later
//!                              pacing:   is there a slot?                no: queued, woken later
//!                              cluster:  read it live, and decide once more
//!                              graph:    DELETE ─► judge
//!                                              │
//!                          lifecycle::record ◄─┘ ─► cluster: status, then the event
//! ```
//!
//! [`lifecycle::decide`] is the one place that decides what happens to a removal, and [`lifecycle::record`] the one that
//! decides what is written of it. Both are pure, and so is everything else that has something to get wrong: a test keeps
//! clocks, sockets and logs out of them, and a model checker runs the real `decide` through every interleaving of
//! crashes, stale caches, lost answers and edits.
//!
//! # The rooms
//!
//! Imports point one way: [`api`] ← [`lifecycle`] ← [`graph`], [`identity`], [`pacing`] ← [`operator`], [`commands`] ← `main`.
//!
//! | room | what it is for |
//! |---|---|
//! | [`api`] | what users write and read: the resource, its status, the closed list of reasons |
//! | [`lifecycle`] | the heart, pure: `decide`, `record`, back-off |
//! | [`graph`] | Microsoft Graph: clouds, a target's URL, an answer's meaning, the client |
//! | [`identity`] | Microsoft Entra: the credential of a Secret or `ServiceAccount`, its proof, a token and its life, signing in |
//! | [`pacing`] | one governor per credential: window, pause, turns |
//! | [`leadership`] | of several replicas, the one that may send: the candidate, pure, and its license |
//! | [`cluster`] | Kubernetes: watch, live read, status write, event, Lease; Secrets, `ServiceAccount`s and their tokens |
//! | [`operator`] | wires the rooms; looks after credentials; nothing in it decides about a removal |
//! | [`commands`] | what people ask for besides running: a credential's check, a user's sign-in; nothing in it calls Graph |
//! | [`cli`], [`telemetry`] | flags to a validated configuration; logs that cannot leak |
//! | [`health`], [`metrics`], [`serve`] | what `/readyz` and `/metrics` say, and where |
//! | [`wire`], [`clock`] | one HTTP exchange, bounded; the one place that asks what time it is |
//!
//! What is absent on purpose: no informer on Secrets, no finalizer, no cache of Graph's answers, no retry inside an HTTP
//! client, no global state but the tracing subscriber, no `unsafe`.

pub mod api;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod commands;
pub mod graph;
pub mod health;
pub mod identity;
pub mod leadership;
pub mod lifecycle;
pub mod metrics;
pub mod operator;
pub mod pacing;
pub mod serve;
pub mod telemetry;
pub mod wire;
