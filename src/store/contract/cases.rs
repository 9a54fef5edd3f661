//! The cases, as scripts: see [`script`](super::script).

use super::{script, with_all};

/// Which stores a case is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    All,
    /// Those that keep records: in memory the domain's rings have them.
    Keeping,
}

use For::{All, Keeping};

/// Sentence, stores, script.
const CASES: &[(&str, For, &str)] = &[
    (
        "seqs count from one without a hole",
        All,
        "ann say a -> stored 1 \n bob say b -> stored 2 \n ann say c -> stored 3",
    ),
    (
        "a message that is repeated is there once",
        All,
        "ann say a cid=c -> stored 1 \n ann say b -> stored 2 \n ann say a cid=c -> duplicate 1 \n ann say c -> stored 3",
    ),
    (
        "a cid with another text is a conflict",
        All,
        "ann say a cid=c -> stored 1 \n ann say b cid=c -> conflict 1",
    ),
    (
        "a cid with other data is a conflict",
        All,
        "ann say a cid=c data=1 -> stored 1 \n ann say a cid=c data=2 -> conflict 1 \n ann say a cid=c -> conflict 1",
    ),
    ("a cid is a user's own", All, "ann say a cid=c -> stored 1 \n bob say a cid=c -> stored 2"),
    ("without a cid the same is said twice", All, "ann say a -> stored 1 \n ann say a -> stored 2"),
    (
        "a question writes nothing",
        All,
        "ann say a cid=c ? -> Unknown \n ann say a cid=c -> stored 1 \n ann say a cid=c ? -> duplicate 1 \n ann say b cid=c ? -> conflict 1",
    ),
    ("a sync is answered", All, "sync -> ok \n ann say a -> stored 1 \n sync -> ok"),
    (
        "a room that is dropped and made anew begins at one",
        All,
        "ann say a cid=c -> stored 1 \n drop \n ann say a cid=c -> stored 1",
    ),
    (
        "what was said is read",
        Keeping,
        "ann say a -> stored 1 \n bob say b data={} -> stored 2 \n page 1 9 9 -> 1:ann:a 2:bob:b+{} @2",
    ),
    (
        "a page is what there is of its seqs",
        Keeping,
        "ann say a -> stored 1 \n ann say b -> stored 2 \n ann say c -> stored 3 \n page 2 2 9 -> 2:ann:b @3 \n page 0 9 2 -> 1:ann:a 2:ann:b @3 \n page 4 9 9 -> @3",
    ),
    (
        "a page of none is empty",
        Keeping,
        "page 1 9 9 -> @0 \n ann say a -> stored 1 \n page 1 9 0 -> @1 \n page 9 1 9 -> @1",
    ),
    (
        "what is below is the latest of it, ascending",
        Keeping,
        "ann say a -> stored 1 \n ann say b -> stored 2 \n ann say c -> stored 3 \n below 9 2 -> 2:ann:b 3:ann:c @3 \n below 3 9 -> 1:ann:a 2:ann:b @3 \n below 1 9 -> @3",
    ),
    (
        "a page holds its bytes and at least one record",
        Keeping,
        "ann say a weight=40000 -> stored 1 \n ann say b weight=20000 -> stored 2 \n ann say c weight=20000 -> stored 3 \n page 1 9 9 -> 1:ann:a @3 \n page 2 9 9 -> 2:ann:b @3 \n below 9 9 -> 3:ann:c @3",
    ),
    (
        "an edit changes its message",
        Keeping,
        "ann say a -> stored 1 \n ann edit 1 b -> stored 2 \n page 1 9 9 -> 1:ann:b* 2:ann:edit1=b @2",
    ),
    (
        "only the last edit keeps its text",
        Keeping,
        "ann say a -> stored 1 \n ann edit 1 b -> stored 2 \n ann edit 1 c -> stored 3 \n page 1 9 9 -> 1:ann:c* 2:ann:edit1= 3:ann:edit1=c @3",
    ),
    (
        "an edit keeps the data",
        Keeping,
        "ann say a data=7 -> stored 1 \n ann edit 1 b -> stored 2 \n page 1 1 9 -> 1:ann:b+7* @2",
    ),
    (
        "an edit to the same text is none",
        Keeping,
        "ann say a -> stored 1 \n ann edit 1 a -> duplicate 1 \n ann edit 1 b -> stored 2 \n ann edit 1 b -> duplicate 2 \n ann edit 1 a -> stored 3",
    ),
    (
        "a deletion takes the texts of the message and of its edits",
        Keeping,
        "ann say a data=7 -> stored 1 \n ann edit 1 b -> stored 2 \n ann delete 1 -> stored 3 \n page 1 9 9 -> 1:ann:deleted 2:ann:edit1= 3:ann:delete1 @3",
    ),
    (
        "what is deleted is no message any more",
        Keeping,
        "ann say a -> stored 1 \n ann delete 1 -> stored 2 \n ann delete 1 -> NoSuchMessage \n ann edit 1 b -> NoSuchMessage \n ann react 1 x -> NoSuchMessage",
    ),
    (
        "what is no message cannot be changed",
        Keeping,
        "ann say a -> stored 1 \n ann react 1 x -> stored 2 \n ann delete 2 others -> NoSuchMessage \n ann edit 9 b -> NoSuchMessage",
    ),
    (
        "a message of another user is not ones own",
        Keeping,
        "ann say a -> stored 1 \n bob edit 1 b -> NotYours \n bob delete 1 -> NotYours \n bob delete 1 others -> stored 2 \n page 1 9 9 -> 1:ann:deleted 2:bob:delete1 @2",
    ),
    (
        "a message that is too old is not changed",
        Keeping,
        "ann say a -> stored 1 \n ann edit 1 b late -> TooOld \n ann delete 1 late -> TooOld \n page 1 9 9 -> 1:ann:a @1",
    ),
    (
        "an edit has to leave room for the data",
        Keeping,
        "ann say a data=123 -> stored 1 \n ann edit 1 b max=2 -> too-large 3 \n ann edit 1 b max=3 -> stored 2",
    ),
    (
        "whose a message is is asked before how old it is",
        Keeping,
        "ann say a data=123 -> stored 1 \n bob edit 1 b late max=1 -> NotYours \n ann edit 1 b late max=1 -> TooOld",
    ),
    (
        "a reaction is there once",
        Keeping,
        "ann say a -> stored 1 \n bob react 1 x others -> stored 2 \n bob react 1 x others -> duplicate 2 \n bob react 1 y others -> stored 3 \n ann react 1 x -> stored 4",
    ),
    (
        "a reaction is taken back once",
        Keeping,
        "ann say a -> stored 1 \n bob unreact 1 x others -> duplicate 1 \n bob react 1 x others -> stored 2 \n bob unreact 1 x others -> stored 3 \n bob unreact 1 x others -> duplicate 3 \n bob react 1 x others -> stored 4",
    ),
    (
        "reactions are read as they were made",
        Keeping,
        "ann say a -> stored 1 \n ann react 1 x -> stored 2 \n ann unreact 1 x -> stored 3 \n page 2 9 9 -> 2:ann:react1=x 3:ann:unreact1=x @3",
    ),
    (
        "a topic is set once",
        Keeping,
        "ann topic tea -> stored 1 \n bob topic tea -> duplicate 1 \n bob topic rum -> stored 2 \n ann topic tea -> stored 3",
    ),
    (
        "a topic is a record and a fact",
        Keeping,
        "ann topic tea -> stored 1 \n page 1 9 9 -> 1:ann:topic=tea @1 \n room -> 1..1 topic:tea:ann",
    ),
    (
        "a topic that the room was made with is there already",
        Keeping,
        "fact topic tea \n ann say a -> stored 1 \n bob topic tea -> duplicate 1",
    ),
    (
        "a reply needs its message",
        Keeping,
        "ann say a reply=1 -> no reply_to \n ann say a -> stored 1 \n ann say b reply=1 -> stored 2 \n ann delete 1 -> stored 3 \n ann say c reply=1 -> no reply_to",
    ),
    (
        "a thread needs its first message",
        Keeping,
        "ann say a thread=7 -> no thread \n ann say a -> stored 1 \n ann say b thread=1 reply=1 -> stored 2 \n ann react 1 x -> stored 3 \n ann say c thread=3 -> no thread \n ann say c thread=2 -> in thread 1 \n ann say c thread=1 reply=2 -> stored 4",
    ),
    (
        "a message is known by its cid when it is edited",
        Keeping,
        "ann say a cid=c -> stored 1 \n ann edit 1 b -> stored 2 \n ann say a cid=c -> duplicate 1 \n ann say b cid=c -> conflict 1",
    ),
    (
        "a message is known by its cid when it is deleted",
        Keeping,
        "ann say a cid=c -> stored 1 \n ann delete 1 -> stored 2 \n ann say a cid=c -> duplicate 1 \n ann say b cid=c -> conflict 1",
    ),
    (
        "a cid stands for what was answered, too",
        Keeping,
        "ann say a -> stored 1 \n ann say b cid=c reply=1 -> stored 2 \n ann say b cid=c -> conflict 2 \n ann say b cid=c reply=1 -> duplicate 2",
    ),
    (
        "a known cid is answered before what it refers to is looked for",
        Keeping,
        "ann say a -> stored 1 \n ann say b cid=c reply=1 -> stored 2 \n ann delete 1 -> stored 3 \n ann say b cid=c reply=1 -> duplicate 2",
    ),
    (
        "acts of moderation are read as they were done",
        Keeping,
        "ann kick bob -> stored 1 \n ann ban bob until=9 -> stored 2 \n ann role bob moderator -> stored 3 \n page 1 9 9 -> 1:ann:kick=bob/why 2:ann:ban=bob9/why 3:ann:role=bobmoderator/why @3",
    ),
    (
        "a fact that comes with a record is there with it",
        Keeping,
        "ann kick bob with=member:eve:owner -> stored 1 \n room -> 1..1 member:eve:owner:0",
    ),
    (
        "a fact of a record that is refused is not there",
        Keeping,
        "ann edit 9 b with=member:eve:owner -> NoSuchMessage \n ann say a -> stored 1 \n room -> 1..1",
    ),
    (
        "a restriction that comes with a record says who has ordered it",
        Keeping,
        "ann ban bob with=ban:bob:9 -> stored 1 \n room -> 1..1 ban:bob:9:ann",
    ),
    (
        "facts replace those of their kind",
        Keeping,
        "fact access 1 1 club \n fact topic a \n fact topic b ann \n fact access 0 1 \n sync -> ok \n room -> 1..0 access:0:1: topic:b:ann",
    ),
    (
        "members come, change and go",
        Keeping,
        "fact member ann owner 1 \n fact member bob member \n sync -> ok \n room -> 1..0 member:ann:owner:1 member:bob:member:0 \n fact member bob reader 2 \n fact leave ann \n sync -> ok \n room -> 1..0 member:bob:reader:2",
    ),
    (
        "who leaves and comes back is there",
        Keeping,
        "fact member ann owner 1 \n sync -> ok \n fact leave ann \n fact member ann member 0 5 \n sync -> ok \n room -> 1..0 member:ann:member:0",
    ),
    (
        "restrictions of each kind are there side by side",
        Keeping,
        "fact ban bob 5 \n fact mute bob \n fact invite bob \n fact reader bob \n fact return bob \n sync -> ok \n room -> 1..0 ban:bob:5: invite:bob:: mute:bob:: reader:bob:: return:bob::",
    ),
    (
        "a restriction is lifted alone",
        Keeping,
        "fact ban bob \n fact mute bob \n sync -> ok \n fact lift ban bob \n sync -> ok \n room -> 1..0 mute:bob::",
    ),
    (
        "a later restriction of a kind replaces the earlier one",
        Keeping,
        "fact ban bob 5 \n sync -> ok \n fact ban bob 7 \n sync -> ok \n room -> 1..0 ban:bob:7:",
    ),
    (
        "a fact is safe before the record behind it",
        Keeping,
        "fact member ann owner \n ann say a -> stored 1 \n room -> 1..1 member:ann:owner:0",
    ),
    (
        "a log goes on behind its records",
        Keeping,
        "ann say a cid=c -> stored 1 \n reopen \n ann say a cid=c -> duplicate 1 \n bob say b -> stored 2 \n page 1 9 9 -> 1:ann:a 2:bob:b @2",
    ),
    (
        "changes reach records of before",
        Keeping,
        "ann say a -> stored 1 \n reopen \n ann edit 1 b -> stored 2 \n reopen \n ann delete 1 -> stored 3 \n page 1 9 9 -> 1:ann:deleted 2:ann:edit1= 3:ann:delete1 @3",
    ),
    (
        "facts stay as they are when a room is forgotten",
        Keeping,
        "fact access 1 1 club \n fact member ann owner 3 \n fact ban bob 9 \n ann topic tea -> stored 1 \n reopen \n room -> 1..1 access:1:1:club ban:bob:9: member:ann:owner:3 topic:tea:ann",
    ),
    (
        "an inbox counts messages of others above what was read",
        Keeping,
        "ann say a -> stored 1 \n bob say b -> stored 2 \n ann say c -> stored 3 \n inbox bob 0 3 -> 2 3:ann:c \n inbox bob 1 3 -> 1 3:ann:c \n inbox bob 3 3 -> 0 3:ann:c \n inbox ann 0 2 -> 1 2:bob:b",
    ),
    (
        "an inbox counts mentions apart",
        Keeping,
        "ann say @bob -> stored 1 \n ann say @cat,`@bob` -> stored 2 \n ann say @room -> stored 3 \n inbox bob 0 3 bare -> 3 @2 \n inbox bob 1 3 bare -> 2 @1 \n inbox cat 0 3 bare -> 3 @2",
    ),
    (
        "an inbox counts no reactions and no deleted messages",
        Keeping,
        "ann say a -> stored 1 \n ann react 1 x -> stored 2 \n ann say b -> stored 3 \n ann delete 3 -> stored 4 \n inbox bob 0 4 -> 1 1:ann:a",
    ),
    (
        "an inbox without last messages has none",
        Keeping,
        "ann say a -> stored 1 \n inbox bob 0 1 bare -> 1 \n inbox bob 0 0 -> 0",
    ),
    (
        "all words are found, the last one by its beginning",
        Keeping,
        "ann say Hello-there,J\u{fc}rgen -> stored 1 \n ann say hello-world -> stored 2 \n search hello -> 2 1 \n search HELLO wor -> 2 \n search wor hello -> \n search there hello -> 1 \n search jurgen -> 1 \n search w ->",
    ),
    (
        "an edit changes what is found",
        Keeping,
        "ann say before -> stored 1 \n search before -> 1 \n ann edit 1 after -> stored 2 \n search before -> \n search after -> 1",
    ),
    (
        "a deletion takes what was found",
        Keeping,
        "ann say secret -> stored 1 \n ann say secret -> stored 2 \n search secret -> 2 1 \n ann delete 2 -> stored 3 \n search secret -> 1 \n ann delete 1 -> stored 4 \n search secret ->",
    ),
    (
        "only messages are found",
        Keeping,
        "ann say a -> stored 1 \n ann topic tea -> stored 2 \n ann react 1 tea -> stored 3 \n ann kick tea -> stored 4 \n search tea -> \n search a -> 1",
    ),
    (
        "nothing that is typed is syntax",
        Keeping,
        "ann say say,near,and,or,not,hello -> stored 1 \n search \"say\" hello -> 1 \n search say* hello* -> 1 \n search NEAR(say & !hello -> 1 \n search 'say' | 'x -> \n search say:* -> 1 \n search #all -> \n search \\ ->",
    ),
    (
        "what is found is found page by page and once",
        Keeping,
        "ann say hi,1 -> stored 1 \n bob say hi,2 -> stored 2 \n ann say ho -> stored 3 \n ann say hi,4 -> stored 4 \n ann say hi,5 -> stored 5 \n ann say hi,6 -> stored 6 \n search hi -> 6 5 4 2 1",
    ),
    (
        "what a user has written is found and nothing of others",
        Keeping,
        "ann say a -> stored 1 \n bob say b -> stored 2 \n ann react 2 x others -> stored 3 \n ann say c -> stored 4 \n written ann 9 -> lobby:1 lobby:3 lobby:4 \n written ann 1 -> lobby:1 lobby:3 lobby:4 \n written bob 2 -> lobby:2 \n written eve 2 ->",
    ),
    (
        "of a conversation all is the users that was written",
        Keeping,
        "ann say a -> stored 1 \n bob say b -> stored 2 \n written ann 1 all -> lobby:1 lobby:2 \n ann delete 1 -> stored 3 \n written eve 9 all -> lobby:1 lobby:2 lobby:3",
    ),
    (
        "a name is somebody's once",
        Keeping,
        "people bind:ann -> ok \n people bind:ann:other -> taken",
    ),
    (
        "a source has each of its users once",
        Keeping,
        "people bind:ann:s -> ok \n people bind:bob:s -> taken",
    ),
    (
        "an account needs its name",
        Keeping,
        "people account:ann -> taken \n people bind:ann account:ann -> ok \n people account:ann -> ok",
    ),
    (
        "all changes are made, or none",
        Keeping,
        "people bind:ann account:bob -> taken \n people bind:ann -> ok",
    ),
    (
        "a hash is renewed where it is, and nothing is made of it where it is not",
        Keeping,
        "people rehash:ann:x:y -> ok \n people login:ann -> taken \n people bind:ann account:ann rehash:ann:ann:y -> ok \n people rehash:ann:x:z account:ann -> ok",
    ),
    (
        "a login needs its account",
        Keeping,
        "people login:ann -> taken \n people bind:ann account:ann login:ann -> ok \n people used:ann logout:ann logout:ann -> ok",
    ),
    (
        "an invite is used as often as it says",
        Keeping,
        "people use:x -> taken \n people invite:x:2 -> ok \n people use:x -> ok \n people use:x -> ok \n people use:x -> taken",
    ),
    (
        "a key is of one name and ends once",
        Keeping,
        "people key:bot -> ok \n people key:bot -> taken \n people endkey:bot -> ok \n people endkey:bot -> taken \n people key:bot -> ok",
    ),
    ("two keys do not have one secret", Keeping, "people key:bot -> ok \n people key:bob -> taken"),
    (
        "a suspension is put twice and ends once",
        Keeping,
        "people suspend:eve -> ok \n people suspend:eve -> ok \n people unsuspend:eve -> ok \n people unsuspend:eve -> taken",
    ),
    (
        "blocks, reports and proofs are taken as often as they come",
        Keeping,
        "people block:ann block:ann proved: report:ann report:ann -> ok \n people unblock:ann unblock:ann settle:x settle:x -> ok",
    ),
    (
        "profiles are taken as often as they come, may be empty, and end",
        Keeping,
        "people profile:ann:Ann status:ann:tea color:ann:red profile:bob: -> ok \n people profile:ann: status:ann: status:ann: color:ann: -> ok",
    ),
    (
        "acts are noted, the latest first",
        Keeping,
        "acts 9 -> \n people audit:one audit:two:lobby -> ok \n people audit:three -> ok \n acts 9 -> three two one \n acts 2 -> three two + \n acts 9 room=lobby -> two",
    ),
    (
        "what was noted of a room by any of its names goes up to its end, behind which the name is another's",
        Keeping,
        "people audit:one:lobby audit:close:lobby audit:two:lobby audit:three -> ok \n acts 9 room=lobby -> two \n acts 9 -> three two close one \n people audit:four:lair audit:close:lair -> ok \n ann rename lair lobby -> stored 1 \n sync -> ok \n people audit:five:lair -> ok \n acts 9 room=lair -> five two \n people audit:close:lobby -> ok \n acts 9 room=lair -> five",
    ),
    (
        "an open room is found by its name and its topic, a private one is not",
        Keeping,
        "fact access 0 0 \n fact member ann member \n ann topic Tea -> stored 1 \n rooms 9 -> lobby:1:Tea \n rooms 9 text=tea -> lobby:1:Tea \n rooms 9 text=obb -> lobby:1:Tea \n rooms 9 text=rum -> \n rooms 9 after=lobby -> \n fact access 1 0 \n sync -> ok \n rooms 9 ->",
    ),
    (
        "an act of changes that are not made is not noted",
        Keeping,
        "people audit:one endkey:bot -> taken \n acts 9 ->",
    ),
    (
        "a thread is its first message and those that belong to it",
        Keeping,
        "ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n bob say c -> stored 3 \n ann say d thread=1 reply=2 -> stored 4 \n thread eve 1 99 9 -> 1:ann:a 2:bob:b 4:ann:d \n thread eve 3 99 9 -> 3:bob:c",
    ),
    (
        "a page of a thread is the latest of it, and says whether there is more",
        Keeping,
        "ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n bob say c thread=1 -> stored 3 \n thread eve 1 99 2 -> 2:bob:b 3:bob:c + \n thread eve 1 2 2 -> 1:ann:a \n thread eve 1 99 3 -> 1:ann:a 2:bob:b 3:bob:c \n thread eve 1 1 9 ->",
    ),
    (
        "who has begun a thread and who writes in it follow it",
        Keeping,
        "fact member ann member \n ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n cat say c thread=1 -> stored 3 \n threads ann -> 1-3:ann:a read1 new2 \n threads bob -> 1-3:ann:a read2 new1 \n threads cat -> 1-3:ann:a read3 new0 \n threads eve ->",
    ),
    (
        "a thread is followed when that is asked for, from there on",
        Keeping,
        "ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n people follow:eve:1:2 -> ok \n threads eve -> 1-2:ann:a read2 new0 \n bob say c thread=1 -> stored 3 \n threads eve -> 1-3:ann:a read2 new1 \n thread eve 1 99 1 -> 3:bob:c + read2 new1",
    ),
    (
        "a thread that does not begin with a message, or with one inside another, is not followed",
        Keeping,
        "people follow:eve:1:0 -> taken \n ann say a -> stored 1 \n bob react 1 x others -> stored 2 \n people follow:eve:2:2 -> taken \n bob say c thread=1 -> stored 3 \n people follow:eve:3:3 -> taken \n people unfollow:eve:3:3 -> ok \n threads eve ->",
    ),
    (
        "who does not want to follow a thread does not, until writing in it",
        Keeping,
        "fact member ann member \n ann say a -> stored 1 \n people unfollow:ann:1:1 -> ok \n bob say b thread=1 -> stored 2 \n threads ann -> \n ann say c thread=1 -> stored 3 \n threads ann -> 1-3:ann:a read3 new0 \n people unfollow:ann:1:3 -> ok \n people follow:ann:1:3 -> ok \n threads ann -> 1-3:ann:a read3 new0",
    ),
    (
        "a mark of a thread does not go back, and is none of who does not follow it",
        Keeping,
        "fact member ann member \n ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n bob say c thread=1 -> stored 3 \n people readthread:ann:1:2 -> ok \n people readthread:eve:1:3 -> taken \n threads ann -> 1-3:ann:a read2 new1 \n people readthread:ann:1:1 -> taken \n threads ann -> 1-3:ann:a read2 new1 \n people readthread:ann:1:3 -> ok \n threads ann -> 1-3:ann:a read3 new0 \n threads eve ->",
    ),
    (
        "a thread that was not followed when that was ended is read up to there when it is",
        Keeping,
        "ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n people unfollow:eve:1:2 -> ok \n bob say c thread=1 -> stored 3 \n people follow:eve:1:3 -> ok \n threads eve -> 1-3:ann:a read2 new1",
    ),
    (
        "the mark of a thread that is followed no more does not move",
        Keeping,
        "fact member ann member \n ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n people unfollow:ann:1:2 -> ok \n people readthread:ann:1:2 -> taken \n people follow:ann:1:2 -> ok \n threads ann -> 1-2:ann:a read1 new1",
    ),
    (
        "a message that was deleted is in no thread, and a thread without its first message goes on",
        Keeping,
        "fact member ann member \n ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n bob say c thread=1 -> stored 3 \n bob delete 2 -> stored 4 \n threads ann -> 1-3:ann:a read1 new1 \n ann delete 1 -> stored 5 \n thread ann 1 99 9 -> 1:ann:deleted 3:bob:c read1 new1 \n threads ann -> 1-3:ann:deleted read1 new1",
    ),
    (
        "who leaves follows nothing there any more, and nobody does in a room that was dropped",
        Keeping,
        "fact member ann member \n ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n fact leave ann \n sync -> ok \n threads ann -> \n threads bob -> 1-2:ann:a read2 new0 \n drop \n ann say x -> stored 1 \n threads bob ->",
    ),
    (
        "who has begun a thread and left the room does not follow it when others write in it",
        Keeping,
        "fact member ann member \n ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n fact leave ann \n bob say c thread=1 -> stored 3 \n threads ann -> \n fact member ann member \n threads ann -> \n bob say d thread=1 -> stored 4 \n threads ann -> 1-4:ann:a read1 new3",
    ),
    (
        "marks of threads are there again when their room is loaded",
        Keeping,
        "fact member ann member \n ann say a -> stored 1 \n bob say b thread=1 -> stored 2 \n reopen \n threads ann -> 1-2:ann:a read1 new1 \n cat say c thread=1 -> stored 3 \n threads ann -> 1-3:ann:a read1 new2",
    ),
    (
        "a room that has got other names goes on, and is found by all that it has and had",
        Keeping,
        "ann say a -> stored 1 \n ann rename lair lobby -> stored 2 \n ann rename den lobby,lair -> stored 3 \n sync -> ok \n room -> 1..3 name:den:[\"lobby\", \"lair\"] \n room lair -> 1..3 name:den:[\"lobby\", \"lair\"] \n room den -> 1..3 name:den:[\"lobby\", \"lair\"] \n reopen \n ann say b -> stored 4 \n page 1 9 9 -> 1:ann:a 2:ann:rename=lair/lobby 3:ann:rename=den/lair 4:ann:b @4",
    ),
    (
        "a room that has a name of before again had the one between",
        Keeping,
        "ann rename lair lobby -> stored 1 \n ann rename lobby lair -> stored 2 \n sync -> ok \n room -> 1..2 name:lobby:[\"lair\"] \n room lair -> 1..2 name:lobby:[\"lair\"]",
    ),
    (
        "an inbox says how many unread messages are in threads",
        Keeping,
        "ann say a -> stored 1 \n ann say b thread=1 -> stored 2 \n ann say c -> stored 3 \n inbox bob 0 3 bare -> 3 #1 \n inbox bob 2 3 bare -> 1 \n inbox ann 0 3 bare -> 0",
    ),
];

#[test]
fn there_are_at_least_sixty_cases_and_no_two_have_one_name() {
    let names: std::collections::BTreeSet<&str> = CASES.iter().map(|(name, ..)| *name).collect();
    assert!(names.len() >= 60 && names.len() == CASES.len(), "{}", names.len());
}

#[test]
fn each_store_does_as_the_cases_say() {
    let mut failed = Vec::new();
    for (name, stores, lines) in CASES {
        with_all(|store| {
            let is_for = match stores {
                All => true,
                Keeping => store.keeps,
            };
            if is_for && let Err(line) = script::run(store, lines) {
                failed.push(format!("{name}: {line}"));
            }
        });
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
