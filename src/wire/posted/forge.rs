//! Events of forges: GitHub's, those of Gitea and others who write like it, and GitLab's.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use serde_json::Value;

use super::parts::{many, text_in};

/// The text of an event; `None` if it is none.
pub(super) fn event(value: &Value) -> Option<String> {
    // What strangers have written at a forge calls nobody here, whoever is meant by it there, and
    // no `@room` of theirs keeps it from being told.
    let event = of_github(value).or_else(|| of_gitlab(value))?;
    Some(event.split_inclusive(char::is_whitespace).map(calling_nobody).collect())
}

/// The word without anybody whom it could call. A link leads where it did.
fn calling_nobody(word: &str) -> String {
    let (before, link) = word.split_at(word.find("://").unwrap_or(word.len()));
    before.replace('@', "@\u{2060}") + &link.replace('@', "%40")
}

/// The first text at one of these places.
fn first<'a>(value: &'a Value, places: &[&str]) -> Option<&'a str> {
    places.iter().find_map(|place| value.pointer(place)?.as_str())
}

/// Those that are not empty, with a space between them.
fn words(parts: &[&str]) -> String {
    let parts: Vec<_> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

fn of_github(value: &Value) -> Option<String> {
    // The hook of an organization need not be about one repository.
    let place = first(value, &["/repository/full_name", "/organization/login"])?;
    if let Some(zen) = value["zen"].as_str() {
        return Some(format!("{place}: {zen}"));
    }
    let who = first(value, &["/sender/login", "/pusher/name"]).unwrap_or("somebody");
    let did = if value["commits"].is_array() { pushed(value) } else { done(value) };
    Some(format!("{place}: {who} {did}"))
}

/// What was done, but pushed.
fn done(event: &Value) -> String {
    for (name, kind) in [
        // With them comes what has deployed it.
        ("deployment_status", "deployment status"),
        ("deployment", "deployment"),
        ("pull_request", "pull request"),
        ("issue", "issue"),
        ("discussion", "discussion"),
        ("release", "release"),
        ("workflow_run", "workflow"),
        ("workflow_job", "job"),
        ("check_run", "check"),
    ] {
        if event[name].is_object() {
            return about(event, &event[name], kind);
        }
    }
    if let Some(kind) = event["ref_type"].as_str() {
        // Only what is gone has a pusher and no branch that all others are from.
        let is_gone = event["pusher_type"].is_string() && !event["master_branch"].is_string();
        let done = if is_gone { "deleted" } else { "created" };
        return words(&[done, kind, event["ref"].as_str().unwrap_or_default()]);
    }
    // The thing is called by its kind.
    let is_thing = |name: &str| event[name].is_object() && !AROUND.contains(&name);
    let thing = event
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .find(|name| is_thing(name));
    words(&[action(event), &thing.unwrap_or_default().replace('_', " ")])
}

/// What comes with events of GitHub's of whatever kind.
const AROUND: [&str; 6] =
    ["repository", "organization", "sender", "installation", "enterprise", "changes"];

fn action(event: &Value) -> &str {
    event["action"].as_str().unwrap_or("changed")
}

/// What was done to an issue or the like, or written about it.
fn about(event: &Value, thing: &Value, kind: &str) -> String {
    let action = action(event);
    let title = text_in(thing, &["title", "name", "tag_name", "environment"]).unwrap_or_default();
    let link = |part: &Value| part["html_url"].as_str().unwrap_or_default().to_owned();
    let written = [&event["comment"], &event["review"]].into_iter().find(|part| part.is_object());
    // What was written comes with what it is about, and `action` is then that of the former.
    let Some(written) = written else {
        // An issue has a state too, which `action` says.
        let field = if kind == "deployment status" { "state" } else { "conclusion" };
        let end = thing[field].as_str().map(|end| format!(": {end}"));
        let title = title + &end.unwrap_or_default();
        return words(&[action, kind, &title, &link(thing)]);
    };
    let what = match written["state"].as_str() {
        Some(state) => format!("a review ({state}) of"),
        None => "a comment on".to_owned(),
    };
    let said = text_in(written, &["body"]).map(|said| format!("\n{said}")).unwrap_or_default();
    words(&[action, &what, kind, &title, &link(written)]) + &said
}

/// What was pushed, to a branch or as a tag, with the first line of each commit's message.
fn pushed(event: &Value) -> String {
    let name = event["ref"].as_str().unwrap_or_default();
    let (kind, name) = match name.strip_prefix("refs/tags/") {
        Some(tag) => ("tag ", tag),
        None => ("", name.strip_prefix("refs/heads/").unwrap_or(name)),
    };
    let after = event["after"].as_str().unwrap_or_default();
    if event["deleted"] == true || (!after.is_empty() && after.bytes().all(|byte| byte == b'0')) {
        return format!("deleted {kind}{name}");
    }
    // GitLab lists the last ones only.
    let listed = event["commits"].as_array().map_or(0, Vec::len);
    let count = event["total_commits_count"].as_u64();
    let count = count.or_else(|| listed.try_into().ok()).unwrap_or_default();
    // A tag, or a branch with nothing of its own.
    if listed == 0 {
        return format!("pushed {kind}{name}");
    }
    let mut lines = vec![format!("pushed {count} to {kind}{name}")];
    many(&mut lines, &event["commits"], |lines, commit| {
        let first = commit["message"].as_str().and_then(|message| message.lines().next());
        lines.extend(first.map(|first| format!("- {first}")));
    });
    lines.join("\n")
}

fn of_gitlab(value: &Value) -> Option<String> {
    let kind = value["object_kind"].as_str()?;
    let place = first(value, &["/project/path_with_namespace", "/project_name"])?;
    let names = ["/user_username", "/user_name", "/user/username", "/user/name"];
    let who = first(value, &names).unwrap_or("somebody");
    let word = |places: &[&str]| first(value, places).unwrap_or_default();
    let link = word(&["/object_attributes/url", "/url"]);
    let did = match kind {
        "push" | "tag_push" => pushed(value),
        "pipeline" | "build" => {
            let of = word(&["/object_attributes/ref", "/ref"]);
            let end = word(&["/object_attributes/status", "/build_status"]);
            let what = if kind == "build" { "job" } else { kind };
            words(&["ran", what, word(&["/build_name"]), "of", &format!("{of}: {end}"), link])
        }
        "note" => {
            let title = |name| Some((name, text_in(&value[name], &["title"])?));
            let found = ["merge_request", "issue", "snippet"].into_iter().find_map(title);
            let (on, title) = found.unwrap_or(("commit", String::new()));
            let said = text_in(&value["object_attributes"], &["note"]);
            let said = said.map(|said| format!("\n{said}")).unwrap_or_default();
            words(&["wrote a comment on", &on.replace('_', " "), &title, link]) + &said
        }
        _ => {
            let action = first(value, &["/object_attributes/action", "/action"]);
            let title = text_in(&value["object_attributes"], &["title"]);
            let title = title.or_else(|| text_in(value, &["name", "tag"])).unwrap_or_default();
            words(&[past(action.unwrap_or("changed")), &kind.replace('_', " "), &title, link])
        }
    };
    Some(format!("{place}: {who} {did}"))
}

/// GitLab says what to do, and means what was done.
fn past(action: &str) -> &str {
    match action {
        "open" => "opened",
        "close" => "closed",
        "reopen" => "reopened",
        "update" => "updated",
        "merge" => "merged",
        "create" => "created",
        "delete" => "deleted",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expect: Option<&str>) {
        let value = serde_json::from_str(body).unwrap();
        assert_eq!(event(&value).as_deref(), expect, "{body}");
    }

    /// An event at the repository `a/b` by `ann`.
    #[track_caller]
    fn at_github(fields: &str, expect: &str) {
        let around = r#""repository":{"full_name":"a/b"},"sender":{"login":"ann"}"#;
        check(&format!("{{{fields},{around}}}"), Some(&format!("a/b: ann {expect}")));
    }

    #[track_caller]
    fn at_gitlab(fields: &str, expect: &str) {
        let around = r#""project":{"path_with_namespace":"a/b"}"#;
        check(&format!("{{{fields},{around}}}"), Some(&format!("a/b: ann {expect}")));
    }

    #[test]
    fn what_is_pushed_is_told_by_branch_and_tag() {
        let push = r#""commits":[{"message":"one\n\nmore"},{"message":"two"}]"#;
        at_github(&format!(r#""ref":"refs/heads/x/y",{push}"#), "pushed 2 to x/y\n- one\n- two");
        at_github(r#""ref":"refs/tags/v1","commits":[],"created":true"#, "pushed tag v1");
        at_github(r#""ref":"refs/heads/x","commits":[],"deleted":true"#, "deleted x");
        // As Gitea says it.
        let gone = format!(r#""ref":"refs/tags/v1","commits":[],"after":"{}""#, "0".repeat(40));
        at_github(&gone, "deleted tag v1");
        check(
            &format!(
                r#"{{"ref":"refs/heads/main","repository":{{"full_name":"a/b"}},"pusher":{{"name":"bob"}},{push}}}"#
            ),
            Some("a/b: bob pushed 2 to main\n- one\n- two"),
        );
        let by = r#""object_kind":"push","user_username":"ann","ref":"refs/heads/main""#;
        at_gitlab(
            &format!(r#"{by},{push},"total_commits_count":40"#),
            "pushed 40 to main\n- one\n- two",
        );
        let by = r#""object_kind":"tag_push","user_name":"ann","ref":"refs/tags/v1","commits":[]"#;
        at_gitlab(by, "pushed tag v1");
    }

    #[test]
    fn what_is_done_at_github_is_readable() {
        let issue = r#""issue":{"title":"It breaks","html_url":"https://x/1"}"#;
        at_github(&format!(r#""action":"opened",{issue}"#), "opened issue It breaks https://x/1");
        // The issue was not made by who has written about it.
        at_github(
            &format!(
                r#""action":"created",{issue},"comment":{{"body":"@room @ann: here too","html_url":"https://x/1#c2"}}"#
            ),
            "created a comment on issue It breaks https://x/1#c2\n@\u{2060}room @\u{2060}ann: here too",
        );
        at_github(
            r#""action":"submitted","pull_request":{"title":"Mend it"},
               "review":{"state":"approved","body":null,"html_url":"https://x/2#r"}"#,
            "submitted a review (approved) of pull request Mend it https://x/2#r",
        );
        at_github(
            r#""action":"completed","workflow_run":{"name":"CI","conclusion":"failure","html_url":"https://x/3"}"#,
            "completed workflow CI: failure https://x/3",
        );
        at_github(r#""action":"published","release":{"tag_name":"v1"}"#, "published release v1");
        at_github(
            r#""ref":"x","ref_type":"branch","master_branch":"main","pusher_type":"user""#,
            "created branch x",
        );
        at_github(r#""ref":"x","ref_type":"tag","pusher_type":"user""#, "deleted tag x");
        at_github(r#""ref":"x","ref_type":"branch","sha":"1f""#, "created branch x");
        at_github(
            r#""action":"closed","milestone":{"title":"1.0"},"installation":{"id":1}"#,
            "closed milestone",
        );
        at_github(
            r#""action":"edited","changes":{"name":{"from":"bug"}},"label":{"name":"fault"}"#,
            "edited label",
        );
        at_github(
            r#""action":"created","deployment":{"environment":"live","task":"deploy"},
               "deployment_status":{"environment":"live","state":"success"},
               "workflow_run":{"name":"CI","html_url":"https://x/3"}"#,
            "created deployment status live: success",
        );
        at_github(
            r#""action":"opened","issue":{"title":"@ann","html_url":"https://x/@eve/1"}"#,
            "opened issue @\u{2060}ann https://x/%40eve/1",
        );
        at_github(r#""forkee":{"full_name":"eve/b"}"#, "changed forkee");
        check(
            r#"{"zen":"Keep it logically awesome.","hook_id":1,"organization":{"login":"a"}}"#,
            Some("a: Keep it logically awesome."),
        );
    }

    #[test]
    fn what_is_done_at_gitlab_is_readable() {
        let by = |kind: &str| {
            format!(r#""object_kind":"{kind}","user":{{"name":"Ann A","username":"ann"}}"#)
        };
        at_gitlab(
            &format!(
                r#"{},"object_attributes":{{"title":"Mend it","action":"merge","url":"https://x/1"}}"#,
                by("merge_request")
            ),
            "merged merge request Mend it https://x/1",
        );
        at_gitlab(
            &format!(
                r#"{},"object_attributes":{{"note":"@all look","url":"https://x/1#n"}},"issue":{{"title":"It breaks"}}"#,
                by("note")
            ),
            "wrote a comment on issue It breaks https://x/1#n\n@\u{2060}all look",
        );
        at_gitlab(
            &format!(
                r#"{},"object_attributes":{{"ref":"main","status":"failed","url":"https://x/2"}}"#,
                by("pipeline")
            ),
            "ran pipeline of main: failed https://x/2",
        );
        at_gitlab(
            &format!(
                r#"{},"ref":"main","build_name":"test","build_status":"success""#,
                by("build")
            ),
            "ran job test of main: success",
        );
        at_gitlab(
            &format!(
                r#"{},"action":"create","name":"1.0","tag":"v1","url":"https://x/3""#,
                by("release")
            ),
            "created release 1.0 https://x/3",
        );
    }

    #[test]
    fn what_is_no_event_is_none() {
        for body in ["{}", "[]", "7", r#"{"object_kind":"push"}"#, r#"{"repository":{"name":"b"}}"#]
        {
            check(body, None);
        }
    }
}
