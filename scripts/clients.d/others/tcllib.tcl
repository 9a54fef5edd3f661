# Tcl's websocket package, of tcllib. See ../others.py for what it does.
package require http
package require websocket
lassign $argv url room name count

set said 0
proc fail {why} { puts stderr "tcllib: $why"; exit 1 }
# A request of the fields given; they need no escapes.
proc say {args} {
    global sock
    set fields {}
    foreach {key value} $args { lappend fields "\"$key\":\"$value\"" }
    ::websocket::send $sock text [format "\x7b%s\x7d" [join $fields ,]]
}
proc heard {socket type message} {
    global sock room name said count
    set sock $socket
    switch $type {
        connect { say op hello id h name $name }
        text {
            regexp {"id":"(.)","code":(\d+)} $message -> id code
            if {[info exists code] && $code != 0} { fail $message }
            if {[info exists id] && $id eq "h"} {
                say op join id j room $room
            } elseif {[info exists id] && $said < $count} {
                say op send id s room $room text "tcllib $said"
                incr said
            } elseif {[string match "*\"text\":\"good bye $name\"*" $message]} {
                puts "tcllib websocket [package versions websocket]"
                ::websocket::close $sock 1000
            }
        }
        close { if {$said != $count} { fail "closed" } }
        disconnect { exit 0 }
        error { fail $message }
    }
}
::websocket::open $url heard
vwait forever
