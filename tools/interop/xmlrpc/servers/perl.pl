# The methods of the cases on Perl's RPC::XML::Server (HTTP::Daemon). Prints its URL and serves one connection after the other until its input ends.
use strict;
use warnings;
use utf8;
use HTTP::Daemon;
use RPC::XML;
use RPC::XML::Server;

$RPC::XML::ENCODING  = 'utf-8';
$RPC::XML::ALLOW_NIL = 1;

sub list_of { return RPC::XML::array->new(from => [@_]) }

my %value_of = (
    int      => RPC::XML::int->new(-2_147_483_648),
    i8       => RPC::XML::i8->new('9007199254740993'),
    boolean  => RPC::XML::boolean->new(1),
    string   => RPC::XML::string->new(q{a < b && c > d ]]> "e" 'f'}),
    unicode  => RPC::XML::string->new('Grüße, 世界'),
    astral   => RPC::XML::string->new('🎉'),
    lines    => RPC::XML::string->new(" one\r\ntwo\rthree\n\tfour "),
    double   => RPC::XML::double->new('-0.00000015'),
    integral => RPC::XML::double->new(3),
    date     => RPC::XML::datetime_iso8601->new('19980717T14:08:55'),
    base64   => RPC::XML::base64->new(join q{}, map { chr } 0 .. 255),
    struct   => RPC::XML::struct->new(lowerBound => RPC::XML::int->new(18), upper => RPC::XML::struct->new(text => RPC::XML::string->new('x'))),
    names    => RPC::XML::struct->new('naïve <key> & co' => RPC::XML::string->new('x'), q{} => RPC::XML::string->new('no name')),
    array    => list_of(
        RPC::XML::int->new(1),
        RPC::XML::string->new('two'),
        list_of(RPC::XML::double->new('3.5'), list_of(RPC::XML::boolean->new(1), list_of())),
        RPC::XML::struct->new(four => list_of(RPC::XML::int->new(4)))
    ),
    empty => list_of(RPC::XML::string->new(q{}), list_of(), RPC::XML::struct->new({})),
    nil   => list_of(RPC::XML::nil->new(), RPC::XML::struct->new(nothing => RPC::XML::nil->new())),
    large => RPC::XML::string->new('0123456789abcdef' x 655_360),
);

# Methods get plain Perl values, without their types: compared is what is left of them.
sub plain {
    my $value = shift;
    return 'undef' if !defined $value;
    return '[' . join(q{,}, map { plain($_) } @{$value}) . ']' if ref $value eq 'ARRAY';
    return '{' . join(q{,}, map { "$_=" . plain($value->{$_}) } sort keys %{$value}) . '}' if ref $value eq 'HASH';
    return $value =~ /^-?[\d.]+(e-?\d+)?$/i ? $value + 0 : $value;
}

sub tell_of {
    my ($name, $value) = @_;
    my ($got, $wanted) = map { plain($_) } $value, $value_of{$name}->value;
    return RPC::XML::string->new($got eq $wanted ? q{} : 'got ' . substr $got, 0, 200);
}

# A `function` gets the parameters alone; a `procedure` has its signatures checked, which are then told to who asks.
my $server = RPC::XML::Server->new(no_http => 1);
sub serve {
    my ($name, $type, $signature, $code, $help) = @_;
    my $added = $server->add_method({ name => $name, type => $type, signature => [$signature], help => $help // q{}, code => $code });
    die "$added\n" if !ref $added;
    return;
}
serve('matrix.tell', 'function', 'string string string', \&tell_of);
serve('matrix.give', 'function', 'string string',        sub { return $value_of{ $_[0] } });
serve('matrix.fail', 'function', 'int int string',       sub { return RPC::XML::fault->new(@_) });
serve('matrix.add', 'procedure', 'int int int', sub { return RPC::XML::int->new($_[0] + $_[1]) }, 'Adds two integers.');

my $daemon = HTTP::Daemon->new(LocalAddr => '127.0.0.1', LocalPort => 0) or die "cannot listen: $!";
local $| = 1;
print 'http://127.0.0.1:', $daemon->sockport, "/RPC2\n";

# Its own loop serves one connection at a time; a process for each leaves none waiting.
local $SIG{CHLD} = 'IGNORE';
my $loop = fork // die "cannot fork: $!";
if (!$loop) {
    while (my $connection = $daemon->accept) {
        next if fork;
        $server->process_request($connection);
        exit 0;
    }
}
local $/ = undef;
<STDIN>;
kill TERM => $loop;
