# The methods of the cases on XMLRPC::WEBrickServlet. Prints its URL and serves until its input ends.
require "webrick"
require "xmlrpc/server"

# These are off in the library as it comes.
%i[ENABLE_NIL_PARSER ENABLE_NIL_CREATE ENABLE_BIGINT].each do |name|
  XMLRPC::Config.send(:remove_const, name)
  XMLRPC::Config.const_set(name, true)
end

VALUES = {
  "int" => -2147483648,
  "i8" => 9007199254740993,
  "boolean" => true,
  "string" => "a < b && c > d ]]> \"e\" 'f'",
  "unicode" => "Grüße, 世界",
  "astral" => "🎉",
  "lines" => " one\r\ntwo\rthree\n\tfour ",
  "double" => -1.5e-7,
  "integral" => 3.0,
  "date" => XMLRPC::DateTime.new(1998, 7, 17, 14, 8, 55),
  "base64" => (0..255).to_a.pack("C*"),
  "struct" => { "lowerBound" => 18, "upper" => { "text" => "x" } },
  "names" => { "naïve <key> & co" => "x", "" => "no name" },
  "array" => [1, "two", [3.5, [true, []]], { "four" => [4] }],
  "empty" => ["", [], {}],
  "nil" => [nil, { "nothing" => nil }],
  "large" => "0123456789abcdef" * 655_360,
}.freeze

def same(got, wanted)
  return got.to_a == wanted.to_a if wanted.is_a?(XMLRPC::DateTime)
  got = got.dup.force_encoding(wanted.encoding) if got.is_a?(String) && wanted.is_a?(String)
  got.class == wanted.class && got == wanted
end

servlet = XMLRPC::WEBrickServlet.new
servlet.add_handler("matrix.tell") { |name, value| same(value, VALUES[name]) ? "" : "got #{value.inspect}"[0, 200] }
servlet.add_handler("matrix.give") { |name| name == "base64" ? XMLRPC::Base64.new(VALUES[name]) : VALUES[name] }
servlet.add_handler("matrix.add", %w[int int int], "Adds two integers.") { |a, b| a + b }
servlet.add_handler("matrix.fail") { |code, text| raise XMLRPC::FaultException.new(code, text) }
servlet.add_multicall
servlet.add_introspection

quiet = WEBrick::Log.new($stderr, WEBrick::Log::FATAL)
server = WEBrick::HTTPServer.new(Port: 0, BindAddress: "127.0.0.1", Logger: quiet, AccessLog: [])
server.mount("/RPC2", servlet)
Thread.new { server.start }
puts "http://127.0.0.1:#{server.listeners.first.addr[1]}/RPC2"
$stdout.flush
$stdin.read
