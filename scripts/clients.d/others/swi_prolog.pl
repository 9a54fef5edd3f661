% SWI-Prolog's library(http/websocket). See ../others.py for what it does.
:- use_module(library(http/json)).
:- use_module(library(http/websocket)).
% Has the request be HTTP/1.1: see findings/swi_prolog_asks_for_websockets_by_http_1_0.sh.
:- use_module(library(http/http_stream)).
:- initialization(main, main).

main([Url, Room, Name, Count]) :-
    http_open_websocket(Url, Line, [subprotocols(['chinwag.v1'])]),
    say(Line, _{op: hello, id: h, name: Name}),
    atom_number(Count, Number),
    converse(Line, Room, Name, Number, 0).

say(Line, Request) :-
    atom_json_dict(Text, Request, [width(0)]),
    ws_send(Line, text(Text)).

converse(Line, Room, Name, Count, Said) :-
    ws_receive(Line, Frame, [format(json)]),
    (   Frame.opcode == text
    ->  heard(Frame.data, Line, Room, Name, Count, Said, Next),
        converse(Line, Room, Name, Count, Next)
    ;   throw(Frame)
    ).

heard(Message, _, _, _, _, _, _) :-
    get_dict(code, Message, Code),
    Code =\= 0,
    throw(Message).
heard(Message, Line, Room, _, _, Said, Said) :-
    get_dict(id, Message, "h"),
    !,
    say(Line, _{op: join, id: j, room: Room}).
heard(Message, Line, Room, Name, Count, Said, Next) :-
    get_dict(id, Message, _),
    Said < Count,
    !,
    format(atom(Text), '~w ~w', [Name, Said]),
    say(Line, _{op: send, id: s, room: Room, text: Text}),
    Next is Said + 1.
heard(Message, Line, _, Name, _, _, _) :-
    format(string(Wanted), 'good bye ~w', [Name]),
    get_dict(text, Message, Wanted),
    !,
    current_prolog_flag(version_data, swi(Major, Minor, Patch, _)),
    format('SWI-Prolog ~w.~w.~w~n', [Major, Minor, Patch]),
    ws_close(Line, 1000, ""),
    halt.
heard(_, _, _, _, _, Said, Said).
