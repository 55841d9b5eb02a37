//! What a caller may act on: a value that only a check of the caller makes, so that no command can do without it.

use domain::{Decider, GroupId, MeetingId, MemberId, OrgId, PartnerId, people::Persons, referral};
use eventlog::{Answers, Cause, Done, Loaded, Position, Recorded, Reply, Streams, TransactError};
use uuid::Uuid;

use crate::{Answer, Caller, Linked, Problem, Role};

/// A thing that a caller was found to be permitted to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted<T> {
    org: OrgId,
    id: T,
}

impl<T: Copy> Permitted<T> {
    /// Whose it is.
    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// Which it is.
    pub fn id(&self) -> T {
        self.id
    }
}

impl Permitted<MemberId> {
    /// Another record of the same person; none if it is not one.
    pub fn of_person(&self, persons: &Persons, record: MemberId) -> Option<Self> {
        let same = persons.of(self.id) == persons.of(record);
        same.then(|| Self { org: self.org.clone(), id: record })
    }
}

impl Caller {
    /// The member of whom the one referral is for which a link is good.
    pub fn by_link(&self, linked: &Linked) -> Permitted<MemberId> {
        self.permitted(linked.member)
    }

    /// The member of whom a referral was sent to the partner that calls.
    ///
    /// # Errors
    /// 403 if it is no partner that calls; 404 if it was not sent to this one.
    pub fn require_sent(&self, member: MemberId, attempt: &referral::Attempt) -> Result<Permitted<MemberId>, Problem> {
        let partner = self.require_partner()?;
        match &attempt.sent {
            Some(sent) if sent.to.partner == partner => Ok(self.permitted(member)),
            _ => Err(Problem::refused(&referral::Refusal::UnknownAttempt)),
        }
    }

    /// Which partner calls.
    ///
    /// # Errors
    /// 403 if it is none.
    pub fn require_partner(&self) -> Result<PartnerId, Problem> {
        let partner = (self.role == Role::Partner).then(|| self.subject.as_str().parse().ok()).flatten();
        partner.ok_or_else(|| Problem::forbidden("the subject of a partner's token is the partner's id"))
    }

    /// Holds facilitators to their own groups.
    ///
    /// # Errors
    /// 403 if the group is not one of theirs.
    pub fn require_group(&self, group: GroupId) -> Result<Permitted<GroupId>, Problem> {
        match self.own_groups() {
            Some(own) if !own.contains(&group) => Err(Problem::forbidden("facilitators reach their own groups only")),
            _ => Ok(self.permitted(group)),
        }
    }

    /// Holds facilitators to meetings of their own groups; the meeting is one of `group`.
    ///
    /// # Errors
    /// 403 if the group is not one of theirs.
    pub fn require_meeting(&self, meeting: MeetingId, group: GroupId) -> Result<Permitted<MeetingId>, Problem> {
        self.require_group(group).map(|_| self.permitted(meeting))
    }

    /// Holds members to themselves, and facilitators to whom something `brought` before them: an enrolment in a group of
    /// theirs by somebody else's act, or that they typed them in.
    ///
    /// # Errors
    /// 403 for members if it is somebody else; 404 for facilitators, who are not told whether there is one.
    pub fn require_member(&self, member: MemberId, brought: bool) -> Result<Permitted<MemberId>, Problem> {
        match self.role {
            Role::Member if self.subject.as_str().parse() != Ok(member) => {
                Err(Problem::forbidden("members reach themselves only"))
            }
            Role::Facilitator if !brought => Err(Problem::refused(&domain::member::Refusal::Unknown)),
            _ => Ok(self.permitted(member)),
        }
    }

    /// Somebody before whom only broken glass brings the caller: that is what it is for.
    pub fn by_broken_glass(&self, member: MemberId) -> Permitted<MemberId> {
        self.permitted(member)
    }

    /// A member who is to be registered: somebody who is there already, the domain refuses.
    pub fn registers(&self, member: MemberId) -> Permitted<MemberId> {
        self.permitted(member)
    }

    /// What has no further owner than the organisation, such as a programme.
    pub fn within_organisation<T>(&self, id: T) -> Permitted<T> {
        self.permitted(id)
    }

    fn permitted<T>(&self, id: T) -> Permitted<T> {
        Permitted { org: self.org.clone(), id }
    }
}

/// Streams of one kind, for commands of callers: nothing is done to what a caller was not permitted to act on.
#[derive(Debug)]
pub struct Guarded<D: Decider>(Streams<D>);

impl<D: Decider> Clone for Guarded<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Decider> From<Streams<D>> for Guarded<D> {
    fn from(streams: Streams<D>) -> Self {
        Self(streams)
    }
}

impl<D: Decider> Guarded<D> {
    /// As [`Streams::look`].
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn look<T>(
        &self,
        org: &OrgId,
        id: impl Into<Uuid>,
        look: impl FnOnce(&Loaded<D::State>) -> T,
    ) -> Result<T, TransactError<D::Refusal>> {
        self.0.look(org, id, look).await
    }

    /// As [`Streams::events`].
    ///
    /// # Errors
    /// If the log does not answer.
    pub async fn events(&self, org: &OrgId, id: impl Into<Uuid>) -> Result<Vec<Recorded>, TransactError<D::Refusal>> {
        self.0.events(org, id).await
    }

    /// Carries out a command on what the caller is permitted to act on.
    ///
    /// # Errors
    /// If it was not carried out, says why.
    pub async fn transact<T: Copy + Into<Uuid>>(
        &self,
        permitted: &Permitted<T>,
        cause: Cause,
        command: D::Command,
        answers: impl Into<Answers<D::State>>,
    ) -> Result<Answer, TransactError<D::Refusal>>
    where
        D::Command: 'static,
        D::State: 'static,
    {
        self.0.transact(&permitted.org, permitted.id, cause, command, answers).await.map(Answer)
    }

    /// As [`Streams::keep`], of what the caller is permitted to act on.
    ///
    /// # Errors
    /// If another command was done under the same key, or the log cannot be written.
    pub async fn keep<T: Copy + Into<Uuid>>(
        &self,
        permitted: &Permitted<T>,
        cause: &Cause,
        reply: Reply,
        position: Position,
    ) -> Result<Answer, TransactError<D::Refusal>> {
        self.0.keep(&permitted.org, permitted.id, cause, reply, position).await.map(Answer)
    }

    /// As [`Streams::replayed`].
    ///
    /// # Errors
    /// If another command was done under the same key, or the log cannot be read.
    pub async fn replayed(&self, cause: &Cause) -> Result<Option<Done>, TransactError<D::Refusal>> {
        self.0.replayed(cause).await
    }
}
