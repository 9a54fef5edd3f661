# Perl's Mojolicious. See ../others.py for what it does.
use strict;
use warnings;
use Mojo::IOLoop;
use Mojo::JSON qw(decode_json encode_json);
use Mojo::UserAgent;

my ($url, $room, $name, $count) = @ARGV;
my $agent = Mojo::UserAgent->new;
my $said = 0;
$agent->websocket($url => ['chinwag.v1'] => sub {
    my ($agent, $line) = @_;
    die "not upgraded\n" unless $line->is_websocket;
    die "no subprotocol\n" unless $line->protocol eq 'chinwag.v1';
    my $say = sub { $line->send(encode_json({@_})) };
    $line->on(message => sub {
        my ($line, $text) = @_;
        my $message = decode_json($text);
        die "$text\n" if $message->{code};
        my $id = $message->{id} // '';
        if ($id eq 'h') {
            $say->(op => 'join', id => 'j', room => $room);
        } elsif ($id && $said < $count) {
            $say->(op => 'send', id => 's', room => $room, text => 'mojolicious ' . $said++);
        } elsif (($message->{text} // '') eq "good bye $name") {
            print "Mojolicious $Mojolicious::VERSION\n";
            $line->finish(1000);
        }
    });
    $line->on(finish => sub { Mojo::IOLoop->stop });
    $say->(op => 'hello', id => 'h', name => $name);
});
require Mojolicious;
Mojo::IOLoop->start;
