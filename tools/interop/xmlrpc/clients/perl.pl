# The cases, from Perl's RPC::XML::Client. Arguments: open URL, database URL, user name and password of it. One JSON line for each case.
use strict;
use warnings;
use utf8;
use JSON::PP;
use RPC::XML;
use RPC::XML::Client;

# The library's own default is us-ascii, which turns everything else into references.
$RPC::XML::ENCODING  = 'utf-8';
$RPC::XML::ALLOW_NIL = 1;
my ($open, $database, $user, $password) = @ARGV;

sub int_of    { return RPC::XML::int->new(shift) }
sub string_of { return RPC::XML::string->new(shift) }
sub list_of   { return RPC::XML::array->new(from => [@_]) }

my $lines = " one\r\ntwo\rthree\n\tfour ";
my @values = (
    [int     => int_of(-2_147_483_648)],
    [i8      => RPC::XML::i8->new('9007199254740993')],
    [boolean => RPC::XML::boolean->new(1)],
    [string  => string_of(q{a < b && c > d ]]> "e" 'f'})],
    [unicode => string_of('Grüße, 世界')],
    [astral  => string_of('🎉')],
    [lines   => string_of($lines)],
    [double  => RPC::XML::double->new('-0.00000015')],
    [date    => RPC::XML::datetime_iso8601->new('19980717T14:08:55')],
    [base64  => RPC::XML::base64->new(join q{}, map { chr } 0 .. 255)],
    [struct  => RPC::XML::struct->new(lowerBound => int_of(18), upper => RPC::XML::struct->new(text => string_of('x')))],
    [names   => RPC::XML::struct->new('naïve <key> & co' => string_of('x'), q{} => string_of('no name'))],
    [
        array => list_of(
            int_of(1),
            string_of('two'),
            list_of(RPC::XML::double->new('3.5'), list_of(RPC::XML::boolean->new(1), list_of())),
            RPC::XML::struct->new(four => list_of(int_of(4)))
        )
    ],
    [empty => list_of(string_of(q{}), list_of(), RPC::XML::struct->new({}))],
    [nil   => list_of(RPC::XML::nil->new(), RPC::XML::struct->new(nothing => RPC::XML::nil->new()))],
    [large => string_of('0123456789abcdef' x 655_360)],
);
my %value_of = map { @{$_} } @values;

sub client_of {
    my ($url, @credentials) = @_;
    my $client = RPC::XML::Client->new($url, useragent => [keep_alive => 1]);
    $client->credentials('RPC', @credentials) if @credentials;
    return $client;
}

my $json = JSON::PP->new->canonical->utf8->allow_nonref->allow_blessed;
local $| = 1;

sub report {
    my ($case, $check) = @_;
    my $said = eval { $check->() };
    $said = "died: $@" if $@;
    $said = 'ok' if !defined $said || $said eq q{};
    $said =~ s/\n.*//s;
    print $json->encode({ case => $case, outcome => substr $said, 0, 200 }), "\n";
    return;
}

# The value that a call gives; dies with the fault or the error otherwise.
sub ask {
    my ($client, @call) = @_;
    my $response = $client->send_request(@call);
    die "$response\n" if !ref $response;
    die sprintf "fault %d: %s\n", $response->code, $response->string if $response->is_fault;
    return $response;
}

# Types and values of what came, in one text.
sub told {
    my $value = shift;
    my $type  = ref $value;
    my $text  = '?';
    if    ($type eq 'RPC::XML::array')  { $text = join q{,}, map { told($_) } @{$value} }
    elsif ($type eq 'RPC::XML::struct') { $text = join q{,}, map { "$_=" . told($value->{$_}) } sort keys %{$value} }
    elsif ($type eq 'RPC::XML::nil')    { $text = q{} }
    elsif ($type eq 'RPC::XML::base64') { $text = unpack 'H*', $value->value }
    elsif ($type eq 'RPC::XML::double') { $text = $value->value + 0 }
    elsif ($type)                       { $text = $value->value }
    # Its parser keeps the tag: i4 and int are the same type.
    $type =~ s/i4$/int/;
    return "$type($text)";
}

sub differs {
    my ($got, $wanted) = map { told($_) } @_;
    return $got eq $wanted ? q{} : "got $got";
}

sub differs_as_json {
    my ($got, $wanted) = @_;
    my ($one, $other) = map { $json->encode($_) } $got, $wanted;
    $one =~ s/"(-?\d+)"/$1/g;
    return $one eq $other ? q{} : "got $one";
}

sub both_ways {
    my ($client, $name) = @_;
    my $sent     = eval { ask($client, 'matrix.tell', $name, $value_of{$name})->value } // $@;
    my $received = eval { differs(ask($client, 'matrix.give', $name), $value_of{$name}) } // $@;
    chomp($sent, $received);
    return join '; ', ($sent ? "sent: $sent" : ()), ($received ? "received: $received" : ());
}

sub fault {
    my ($code, $text, $client, @call) = @_;
    my $response = $client->send_request(@call);
    return "no fault but $response" if !ref $response || !$response->is_fault;
    return q{} if $response->code == $code && (!defined $text || $response->string eq $text);
    return sprintf 'fault %d: %s', $response->code, $response->string;
}

# Of a refusal it tells the words alone.
sub refused {
    my ($client, $words) = @_;
    my $response = $client->send_request('system.listMethods');
    return 'no refusal' if ref $response;
    return $response =~ /$words/ ? q{} : $response;
}

sub multicall {
    my $client = shift;
    my $item   = sub { my ($method, @params) = @_; return { methodName => $method, params => [@params] } };
    my $got    = ask($client, 'system.multicall', [$item->('matrix.add', 1, 2), $item->('matrix.fail', 17, 'no'), $item->('matrix.add', 3, 4)]);
    return differs_as_json($got->value, [[3], { faultCode => 17, faultString => 'no' }, [7]]);
}

sub introspection {
    my $client = shift;
    return 'system.listMethods does not name matrix.add' if !grep { $_ eq 'matrix.add' } @{ ask($client, 'system.listMethods')->value };
    return differs(ask($client, 'system.methodHelp', 'matrix.add'), string_of('Adds two integers.'))
        || differs_as_json(ask($client, 'system.methodSignature', 'matrix.add')->value, [[qw(int int int)], [qw(int struct)]]);
}

sub keep_alive {
    my $client = shift;
    my ($first, $second) = map { ask($client, 'matrix.wire')->value->{connections} } 1, 2;
    return $first == $second ? q{} : "connections $first, then $second";
}

sub gzip {
    my $client = shift;
    $client->compress_requests(1);
    $client->compress_thresh(100);
    my $said = differs(ask($client, 'matrix.give', 'large'), $value_of{large}) || ask($client, 'matrix.tell', 'unicode', $value_of{unicode})->value;
    my $wire = ask($client, 'matrix.wire')->value;
    return $said || ($wire->{gzipReplies} && $wire->{gzipRequests} ? q{} : 'not compressed: ' . $json->encode($wire));
}

sub subject_form {
    my $client = shift;
    my $ids    = ask($client, 'res.partner.search', [], [[['is_company', '=', RPC::XML::boolean->new(1)]]])->value;
    my $rows   = ask($client, 'res.partner.read', { records => $ids, context => { lang => 'de_DE' } }, { fields => ['name'] })->value;
    return differs_as_json($ids, [1, 3]) || differs_as_json($rows, [{ id => 1, name => 'Azure GmbH' }, { id => 3, name => 'Gemini GmbH' }]);
}

sub single_struct {
    my $rows = ask(shift, 'res.partner.read', { records => [2], context => { lang => 'en_US' }, args => [['name']] })->value;
    return differs_as_json($rows, [{ id => 2, name => 'Ada' }]);
}

my $client = client_of($open);
for my $row (@values) {
    report($row->[0], sub { both_ways($client, $row->[0]) });
}
my $text = 'Ünïcode <&> ]]>';
report('integral',        sub { differs(ask($client, 'matrix.give', 'integral'), RPC::XML::double->new(3)) });
report('positional',      sub { differs(ask($client, 'matrix.add', 1, 2), int_of(3)) });
report('named',           sub { differs(ask($client, 'matrix.add', { a => 1, b => 2 }), int_of(3)) });
report('fault',           sub { fault(17, $text, $client, 'matrix.fail', 17, $text) });
report('unknown-method',  sub { fault(-32_601, undef, $client, 'matrix.nothing') });
report('wrong-arguments', sub { fault(-32_602, undef, $client, 'matrix.add', 'x') });
report('multicall',       sub { multicall($client) });
report('introspection',   sub { introspection($client) });
report('keep-alive',      sub { keep_alive($client) });
report('gzip',            sub { gzip(client_of($open)) });
report('no-credentials',  sub { refused(client_of($database), 'Unauthorized') });
report('wrong-password',  sub { refused(client_of($database, $user, 'wrong'), 'Forbidden') });
my $partners = client_of($database, $user, $password);
report('subject-form', sub { subject_form($partners) });
report('struct-form',  sub { single_struct($partners) });
