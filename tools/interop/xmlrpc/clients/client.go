// The cases, from Go's kolo/xmlrpc. Arguments: open URL, database URL, user name and password of it. One JSON line for each case.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/kolo/xmlrpc"
)

type list = []interface{}
type dict = map[string]interface{}

var allBytes = func() string {
	bytes := make([]byte, 256)
	for i := range bytes {
		bytes[i] = byte(i)
	}
	return base64.StdEncoding.EncodeToString(bytes)
}()

type row struct {
	name  string
	value interface{}
}

// Integers come as int64 into an interface, so that is how they are written here.
var values = []row{
	{"int", int64(-2147483648)},
	{"i8", int64(9007199254740993)},
	{"boolean", true},
	{"string", `a < b && c > d ]]> "e" 'f'`},
	{"unicode", "Grüße, 世界"},
	{"astral", "🎉"},
	{"lines", " one\r\ntwo\rthree\n\tfour "},
	{"double", -1.5e-7},
	{"date", time.Date(1998, 7, 17, 14, 8, 55, 0, time.UTC)},
	{"base64", xmlrpc.Base64(allBytes)},
	{"struct", dict{"lowerBound": int64(18), "upper": dict{"text": "x"}}},
	{"names", dict{"naïve <key> & co": "x", "": "no name"}},
	{"array", list{int64(1), "two", list{3.5, list{true, list{}}}, dict{"four": list{int64(4)}}}},
	{"empty", list{"", list{}, dict{}}},
	{"nil", list{nil, dict{"nothing": nil}}},
	{"large", strings.Repeat("0123456789abcdef", 655360)},
}

func clientOf(address string) *xmlrpc.Client {
	client, err := xmlrpc.NewClient(address, nil)
	if err != nil {
		panic(err)
	}
	return client
}

func ask(client *xmlrpc.Client, method string, params ...interface{}) (interface{}, error) {
	var value interface{}
	err := client.Call(method, list(params), &value)
	return value, err
}

func cut(text string) string {
	text = strings.Split(text, "\n")[0]
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "")
	}
	return text
}

func report(name string, check func() error) {
	outcome := "ok"
	func() {
		defer func() {
			if panicked := recover(); panicked != nil {
				outcome = fmt.Sprint("panic: ", panicked)
			}
		}()
		if err := check(); err != nil {
			outcome = err.Error()
		}
	}()
	line, _ := json.Marshal(map[string]string{"case": name, "outcome": cut(outcome)})
	fmt.Println(string(line))
}

func differs(got interface{}, wanted interface{}) error {
	if bytes, is := wanted.(xmlrpc.Base64); is && got == string(bytes) {
		return errors.New("the text of the base64, not its bytes")
	}
	if reflect.DeepEqual(got, wanted) {
		return nil
	}
	return errors.New(cut(fmt.Sprintf("got %#v", got)))
}

// A client that could not read one reply is of no more use.
func bothWays(address string, name string, value interface{}) error {
	var wrong []string
	if said, err := ask(clientOf(address), "matrix.tell", name, value); err != nil {
		wrong = append(wrong, "sent: "+err.Error())
	} else if said != "" && said != nil {
		wrong = append(wrong, fmt.Sprint("sent: ", said))
	}
	if got, err := ask(clientOf(address), "matrix.give", name); err != nil {
		wrong = append(wrong, "received: "+err.Error())
	} else if err := differs(got, value); err != nil {
		wrong = append(wrong, "received: "+err.Error())
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(wrong, "; "))
}

// net/rpc keeps of an error only its text.
func fault(code int, text string, client *xmlrpc.Client, method string, params ...interface{}) error {
	value, err := ask(client, method, params...)
	if err == nil {
		return fmt.Errorf("no fault but %v", value)
	}
	wanted := fmt.Sprintf("Fault(%d): ", code)
	if strings.HasPrefix(err.Error(), wanted) && (text == "" || err.Error() == wanted+text) {
		return nil
	}
	return err
}

func refused(address string, status int) error {
	value, err := ask(clientOf(address), "system.listMethods")
	if err == nil {
		return fmt.Errorf("no refusal but %v", value)
	}
	if strings.HasSuffix(err.Error(), fmt.Sprint(status)) {
		return nil
	}
	return err
}

func multicall(client *xmlrpc.Client) error {
	got, err := ask(client, "system.multicall", list{
		dict{"methodName": "matrix.add", "params": list{1, 2}},
		dict{"methodName": "matrix.fail", "params": list{17, "no"}},
		dict{"methodName": "matrix.add", "params": list{3, 4}},
	})
	if err != nil {
		return err
	}
	return differs(got, list{list{int64(3)}, dict{"faultCode": int64(17), "faultString": "no"}, list{int64(7)}})
}

func introspection(client *xmlrpc.Client) error {
	var names []string
	if err := client.Call("system.listMethods", nil, &names); err != nil {
		return err
	}
	if !strings.Contains(" "+strings.Join(names, " ")+" ", " matrix.add ") {
		return errors.New("system.listMethods does not name matrix.add")
	}
	var help string
	if err := client.Call("system.methodHelp", "matrix.add", &help); err != nil || help != "Adds two integers." {
		return fmt.Errorf("help %q %v", help, err)
	}
	signatures, err := ask(client, "system.methodSignature", "matrix.add")
	if err != nil {
		return err
	}
	return differs(signatures, list{list{"int", "int", "int"}, list{"int", "struct"}})
}

type wire struct {
	Connections  int `xmlrpc:"connections"`
	GzipReplies  int `xmlrpc:"gzipReplies"`
	GzipRequests int `xmlrpc:"gzipRequests"`
}

func keepAlive(client *xmlrpc.Client) error {
	var first, second wire
	if err := client.Call("matrix.wire", nil, &first); err != nil {
		return err
	}
	if err := client.Call("matrix.wire", nil, &second); err != nil {
		return err
	}
	if first.Connections != second.Connections {
		return fmt.Errorf("connections %d, then %d", first.Connections, second.Connections)
	}
	return nil
}

func gzip(client *xmlrpc.Client) error {
	got, err := ask(client, "matrix.give", "large")
	if err != nil {
		return err
	}
	if len(got.(string)) != 10485760 {
		return errors.New("another text")
	}
	var now wire
	if err := client.Call("matrix.wire", nil, &now); err != nil {
		return err
	}
	if now.GzipReplies == 0 {
		return errors.New("not compressed")
	}
	return nil
}

func subjectForm(client *xmlrpc.Client) error {
	ids, err := ask(client, "res.partner.search", list{}, list{list{list{"is_company", "=", true}}})
	if err != nil {
		return err
	}
	if err := differs(ids, list{int64(1), int64(3)}); err != nil {
		return err
	}
	rows, err := ask(client, "res.partner.read", dict{"records": ids, "context": dict{"lang": "de_DE"}}, dict{"fields": list{"name"}})
	if err != nil {
		return err
	}
	return differs(rows, list{dict{"id": int64(1), "name": "Azure GmbH"}, dict{"id": int64(3), "name": "Gemini GmbH"}})
}

func singleStruct(client *xmlrpc.Client) error {
	rows, err := ask(client, "res.partner.read", dict{"records": list{2}, "context": dict{"lang": "en_US"}, "args": list{list{"name"}}})
	if err != nil {
		return err
	}
	return differs(rows, list{dict{"id": int64(2), "name": "Ada"}})
}

func main() {
	open, database, user, password := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	with := func(user string, password string) string {
		address, _ := url.Parse(database)
		address.User = url.UserPassword(user, password)
		return address.String()
	}
	client := clientOf(open)
	for _, item := range values {
		report(item.name, func() error { return bothWays(open, item.name, item.value) })
	}
	call := func(wanted interface{}, method string, params ...interface{}) func() error {
		return func() error {
			got, err := ask(client, method, params...)
			if err != nil {
				return err
			}
			return differs(got, wanted)
		}
	}
	text := "Ünïcode <&> ]]>"
	report("integral", call(3.0, "matrix.give", "integral"))
	report("positional", call(int64(3), "matrix.add", 1, 2))
	report("named", call(int64(3), "matrix.add", dict{"a": 1, "b": 2}))
	report("fault", func() error { return fault(17, text, client, "matrix.fail", 17, text) })
	report("unknown-method", func() error { return fault(-32601, "", client, "matrix.nothing") })
	report("wrong-arguments", func() error { return fault(-32602, "", client, "matrix.add", "x") })
	report("multicall", func() error { return multicall(client) })
	report("introspection", func() error { return introspection(client) })
	report("keep-alive", func() error { return keepAlive(client) })
	report("gzip", func() error { return gzip(clientOf(open)) })
	report("no-credentials", func() error { return refused(database, 401) })
	report("wrong-password", func() error { return refused(with(user, "wrong"), 403) })
	partners := clientOf(with(user, password))
	report("subject-form", func() error { return subjectForm(partners) })
	report("struct-form", func() error { return singleStruct(partners) })
}
