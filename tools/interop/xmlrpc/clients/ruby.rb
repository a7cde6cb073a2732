# The cases, from Ruby's xmlrpc/client. Arguments: open URL, database URL, user name and password of it. One JSON line for each case.
require "json"
require "uri"
require "xmlrpc/client"

# These are off in the library as it comes.
XMLRPC::Config.send(:remove_const, :ENABLE_NIL_PARSER)
XMLRPC::Config::ENABLE_NIL_PARSER = true
XMLRPC::Config.send(:remove_const, :ENABLE_NIL_CREATE)
XMLRPC::Config::ENABLE_NIL_CREATE = true
XMLRPC::Config.send(:remove_const, :ENABLE_BIGINT)
XMLRPC::Config::ENABLE_BIGINT = true

OPEN, DATABASE, USER, PASSWORD = ARGV

VALUES = {
  "int" => -2147483648,
  "i8" => 9007199254740993,
  "boolean" => true,
  "string" => "a < b && c > d ]]> \"e\" 'f'",
  "unicode" => "Grüße, 世界",
  "astral" => "🎉",
  "lines" => " one\r\ntwo\rthree\n\tfour ",
  "double" => -1.5e-7,
  "date" => XMLRPC::DateTime.new(1998, 7, 17, 14, 8, 55),
  "base64" => (0..255).to_a.pack("C*"),
  "struct" => { "lowerBound" => 18, "upper" => { "text" => "x" } },
  "names" => { "naïve <key> & co" => "x", "" => "no name" },
  "array" => [1, "two", [3.5, [true, []]], { "four" => [4] }],
  "empty" => ["", [], {}],
  "nil" => [nil, { "nothing" => nil }],
  "large" => "0123456789abcdef" * 655_360,
}.freeze

def client_of(url, user = nil, password = nil)
  uri = URI(url)
  XMLRPC::Client.new3(host: uri.host, port: uri.port, path: uri.request_uri, user: user, password: password)
end

def report(name, outcome)
  puts JSON.generate({ case: name, outcome: outcome })
  $stdout.flush
end

# What a check says: "ok", what was wrong, or the error in one line.
def outcome_of
  yield || "ok"
rescue XMLRPC::FaultException => e
  "fault #{e.faultCode}: #{e.faultString}"[0, 200]
rescue StandardError => e
  "#{e.class}: #{e.message.lines.first}"[0, 200].strip
end

def differs(got, wanted)
  got = got.dup.force_encoding(wanted.encoding) if got.is_a?(String) && wanted.is_a?(String)
  got.class == wanted.class && got == wanted ? nil : "got #{got.inspect}"[0, 200]
end

def same_date(got, wanted)
  got.respond_to?(:to_a) && got.to_a == wanted.to_a ? nil : "got #{got.inspect}"
end

def both_ways(client, name, value)
  on_wire = name == "base64" ? XMLRPC::Base64.new(value) : value
  sent = outcome_of { said = client.call("matrix.tell", name, on_wire); said unless said.empty? }
  received = outcome_of { name == "date" ? same_date(client.call("matrix.give", name), value) : differs(client.call("matrix.give", name), value) }
  wrong = [["sent", sent], ["received", received]].reject { |_, said| said == "ok" }.map { |way, said| "#{way}: #{said}" }
  wrong.empty? ? "ok" : wrong.join("; ")
end

def fault(code, text = nil)
  "no fault but #{yield.inspect}"
rescue XMLRPC::FaultException => e
  e.faultCode == code && (text.nil? || e.faultString == text) ? nil : "fault #{e.faultCode}: #{e.faultString}"
end

def refused(client, status)
  "no refusal but #{client.call('system.listMethods').inspect}"
rescue RuntimeError => e
  e.message.include?(status.to_s) ? nil : "#{e.class}: #{e.message}"
end

def multicall(client)
  one, two, three = client.multicall2(["matrix.add", 1, 2], ["matrix.fail", 17, "no"], ["matrix.add", 3, 4]).last
  fits = two.is_a?(XMLRPC::FaultException) && two.faultCode == 17 && two.faultString == "no"
  fits ? differs([one, three], [3, 7]) : "got #{two.inspect}"
end

def introspection(client)
  return "system.listMethods does not name matrix.add" unless client.call("system.listMethods").include?("matrix.add")
  differs(client.call("system.methodHelp", "matrix.add"), "Adds two integers.") ||
    differs(client.call("system.methodSignature", "matrix.add"), [%w[int int int], %w[int struct]])
end

def gzip(client)
  # Net::HTTP asks for gzip unless a caller names encodings himself.
  said = differs(client.call("matrix.give", "large"), VALUES["large"])
  said || (client.call("matrix.wire")["gzipReplies"].positive? ? nil : "not compressed")
end

def subject_form(client)
  ids = client.call("res.partner.search", [], [[["is_company", "=", true]]])
  differs(ids, [1, 3]) ||
    differs(client.call("res.partner.read", { "records" => ids, "context" => { "lang" => "de_DE" } }, { "fields" => ["name"] }),
            [{ "id" => 1, "name" => "Azure GmbH" }, { "id" => 3, "name" => "Gemini GmbH" }])
end

def single_struct(client)
  differs(client.call("res.partner.read", { "records" => [2], "context" => { "lang" => "en_US" }, "args" => [["name"]] }),
          [{ "id" => 2, "name" => "Ada" }])
end

client = client_of(OPEN)
VALUES.each { |name, value| report(name, both_ways(client, name, value)) }
report("integral", outcome_of { differs(client.call("matrix.give", "integral"), 3.0) })
report("positional", outcome_of { differs(client.call("matrix.add", 1, 2), 3) })
report("named", outcome_of { differs(client.call("matrix.add", { "a" => 1, "b" => 2 }), 3) })
text = "Ünïcode <&> ]]>"
report("fault", outcome_of { fault(17, text) { client.call("matrix.fail", 17, text) } })
report("unknown-method", outcome_of { fault(-32601) { client.call("matrix.nothing") } })
report("wrong-arguments", outcome_of { fault(-32602) { client.call("matrix.add", "x") } })
report("multicall", outcome_of { multicall(client) })
report("introspection", outcome_of { introspection(client) })
report("keep-alive", outcome_of { differs(client.call("matrix.wire")["connections"], client.call("matrix.wire")["connections"]) })
report("gzip", outcome_of { gzip(client_of(OPEN)) })
report("no-credentials", outcome_of { refused(client_of(DATABASE), 401) })
report("wrong-password", outcome_of { refused(client_of(DATABASE, USER, "wrong"), 403) })
database = client_of(DATABASE, USER, PASSWORD)
report("subject-form", outcome_of { subject_form(database) })
report("struct-form", outcome_of { single_struct(database) })
