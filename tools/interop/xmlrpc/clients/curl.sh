#!/usr/bin/env bash
# The cases as documents that curl sends, and as the very documents that come back. Arguments: open URL, database URL, user name and password of it.
# One JSON line for each case.
set -u
open=$1 database=$2 user=$3 password=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

report() { # case, what was wrong with it
  local said=${2//\\/\\\\}
  said=${said//\"/\\\"}
  said=$(printf '%s' "${said:0:200}" | tr '\r\n\t' '   ')
  printf '{"case":"%s","outcome":"%s"}\n' "$1" "${said:-ok}"
}

call() { # method, the parameters' values…
  local method=$1 value
  shift
  printf '<?xml version="1.0"?>\n<methodCall>\n<methodName>%s</methodName>\n<params>\n' "$method"
  for value; do printf '<param><value>%s</value></param>\n' "$value"; done
  printf '</params>\n</methodCall>\n'
}

# The body of the answer to what stands in the file `request`; further arguments are curl's. The status goes to the file `status`.
post() { # url, arguments of curl…
  curl --silent --show-error --max-time 20 --header 'Content-Type: text/xml' --data-binary "@$folder/request" \
    --write-out '%{stderr}%{http_code}' "$@" 2>"$folder/status"
}

ask() { # url, method, values…
  local url=$1
  shift
  call "$@" >"$folder/request"
  post "$url"
}

expect() { # case, got, wanted part
  case $2 in
  *"$3"*) report "$1" '' ;;
  *) report "$1" "got $2" ;;
  esac
}

expect_status() { # case, wanted status; the answer was read before
  local status
  status=$(cat "$folder/status")
  if [ "$status" = "$2" ]; then report "$1" ''; else report "$1" "HTTP $status"; fi
}

both_ways() { # case, value as our documents spell it
  local said='' got
  got=$(ask "$open" matrix.tell "<string>$1</string>" "$2")
  case $got in *'<param><value><string></string></value></param>'*) ;; *) said="sent: $got" ;; esac
  got=$(ask "$open" matrix.give "<string>$1</string>")
  case $got in *"<param><value>$2</value></param>"*) ;; *) said="${said:+$said; }received: $got" ;; esac
  report "$1" "$said"
}

text() { printf '<string>%s</string>' "$1"; }
member() { printf '<member><name>%s</name><value>%s</value></member>' "$1" "$2"; }
list() {
  printf '<array><data>'
  local value
  for value; do printf '<value>%s</value>' "$value"; done
  printf '</data></array>'
}

octets=$(for i in $(seq 0 255); do printf '%b' "\\x$(printf %02x "$i")" >>"$folder/octets"; done; base64 --wrap=0 "$folder/octets")
both_ways int '<int>-2147483648</int>'
both_ways i8 '<i8>9007199254740993</i8>'
both_ways boolean '<boolean>1</boolean>'
both_ways string "$(text "a &lt; b &amp;&amp; c &gt; d ]]&gt; \"e\" 'f'")"
both_ways unicode "$(text 'Grüße, 世界')"
both_ways astral "$(text '🎉')"
both_ways lines "$(text " one&#13;
two&#13;three
	four ")"
both_ways double '<double>-0.00000015</double>'
both_ways date '<dateTime.iso8601>19980717T14:08:55</dateTime.iso8601>'
both_ways base64 "<base64>$octets</base64>"
both_ways struct "<struct>$(member lowerBound '<int>18</int>')$(member upper "<struct>$(member text "$(text x)")</struct>")</struct>"
both_ways names "<struct>$(member 'naïve &lt;key&gt; &amp; co' "$(text x)")$(member '' "$(text 'no name')")</struct>"
both_ways array "$(list '<int>1</int>' "$(text two)" "$(list '<double>3.5</double>' "$(list '<boolean>1</boolean>' "$(list)")")" \
  "<struct>$(member four "$(list '<int>4</int>')")</struct>")"
both_ways empty "$(list "$(text '')" "$(list)" '<struct></struct>')"
both_ways nil "$(list '<nil/>' "<struct>$(member nothing '<nil/>')</struct>")"

# Ten megabytes through files; curl asks first whether they are welcome (Expect: 100-continue).
yes 0123456789abcdef | head -n 655360 | tr -d '\n' >"$folder/large"
{
  printf '<methodCall><methodName>matrix.tell</methodName><params><param><value>large</value></param><param><value>'
  cat "$folder/large"
  printf '</value></param></params></methodCall>'
} >"$folder/request"
got=$(post "$open")
case $got in *'<string></string>'*) said='' ;; *) said="sent: $got" ;; esac
call matrix.give '<string>large</string>' >"$folder/request"
post "$open" | sed 's/.*<string>//; s/<.*//' | tr -d '\n' >"$folder/back"
cmp -s "$folder/large" "$folder/back" || said="${said:+$said; }received: $(head -c 100 "$folder/back")"
report large "$said"

expect integral "$(ask "$open" matrix.give '<string>integral</string>')" '<double>3.0</double>'
expect positional "$(ask "$open" matrix.add '<i4>1</i4>' ' <i4>2</i4> ')" '<int>3</int>'
expect named "$(ask "$open" matrix.add "<struct>$(member a '<i4>1</i4>')$(member b '<i4>2</i4>')</struct>")" '<int>3</int>'
fault=$(printf '<fault><value><struct>%s%s</struct></value></fault>' "$(member faultCode '<int>17</int>')" "$(member faultString "$(text 'Ünïcode &lt;&amp;&gt; ]]&gt;')")")
expect fault "$(ask "$open" matrix.fail '<int>17</int>' 'Ünïcode &lt;&amp;> ]]&gt;')" "$fault"
expect unknown-method "$(ask "$open" matrix.nothing)" '<int>-32601</int>'
expect wrong-arguments "$(ask "$open" matrix.add x)" '<int>-32602</int>'
item() { printf '<struct>%s%s</struct>' "$(member methodName "$1")" "$(member params "$2")"; }
calls=$(list "$(item matrix.add "$(list '<int>1</int>' '<int>2</int>')")" "$(item matrix.fail "$(list '<int>17</int>' no)")")
expect multicall "$(ask "$open" system.multicall "$calls")" \
  "$(list "$(list '<int>3</int>')" "<struct>$(member faultCode '<int>17</int>')$(member faultString "$(text no)")</struct>")"
expect introspection "$(ask "$open" system.listMethods)" '<value><string>matrix.add</string></value>'

call matrix.wire >"$folder/request"
expect keep-alive "$(post "$open" --output "$folder/back" --next --silent --header 'Content-Type: text/xml' --data-binary "@$folder/request" \
  --output "$folder/back" --write-out 'new:%{num_connects}' "$open")" 'new:0'
call matrix.tell '<string>unicode</string>' 'Grüße, 世界' | gzip >"$folder/request"
got=$(post "$open" --header 'Content-Encoding: gzip')
call matrix.give '<string>large</string>' >"$folder/request"
got+=$(post "$open" --compressed --dump-header - --output "$folder/back" | tr 'A-Z' 'a-z')
case $got in *'<string></string>'*'content-encoding: gzip'*) report gzip '' ;; *) report gzip "got $got" ;; esac

call system.listMethods >"$folder/request"
post "$database" >"$folder/back"
expect_status no-credentials 401
post "$database" --user "$user:wrong" >"$folder/back"
expect_status wrong-password 403
call res.partner.search "$(list)" "$(list "$(list "$(list is_company = '<boolean>1</boolean>')")")" >"$folder/request"
expect subject-form "$(post "$database" --user "$user:$password")" "$(list '<int>1</int>' '<int>3</int>')"
subject="<struct>$(member records "$(list '<int>2</int>')")$(member args "$(list "$(list name)")")</struct>"
call res.partner.read "$subject" >"$folder/request"
expect struct-form "$(post "$database" --user "$user:$password")" "$(list "<struct>$(member id '<int>2</int>')$(member name "$(text Ada)")</struct>")"

# What only curl can say.
expect http-get "$(curl --silent --include "$open" | tr 'A-Z' 'a-z')" 'allow: post'
call matrix.add '<int>1</int>' '<int>2</int>' >"$folder/request"
got=$(curl --silent --output /dev/null --write-out '%{http_code}' --header 'Content-Type: text/plain' --data-binary "@$folder/request" "$open")
expect text-plain "$got" 415
expect chunked "$(post "$open" --header 'Transfer-Encoding: chunked')" '<int>3</int>'
call matrix.tell unicode 'Grüße' | iconv -t iso-8859-1 >"$folder/request"
got=$(curl --silent --header 'Content-Type: text/xml; charset=iso-8859-1' --data-binary "@$folder/request" "$open")
expect iso-8859-1 "$got" 'got "Grüße"'
printf '<!DOCTYPE methodCall [<!ENTITY a "b">]><methodCall><methodName>&a;</methodName></methodCall>' >"$folder/request"
expect doctype "$(post "$open")" '<int>-32700</int>'
printf '<methodCall><methodName>matrix.add</methodName>' >"$folder/request"
expect not-well-formed "$(post "$open")" '<int>-32700</int>'
printf '{"jsonrpc":"2.0","id":7,"method":"matrix.add","params":{"a":1,"b":2}}' >"$folder/request"
got=$(curl --silent --header 'Content-Type: application/json' --data-binary "@$folder/request" "$open")
expect json-rpc "$got" '"result":3'
