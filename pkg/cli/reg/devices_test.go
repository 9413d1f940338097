package reg

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// secretFor is the secret of a kind, made here or not.
func secretFor(kind cmapi.RegistrationKind, keepIn string) *secret {
	for _, s := range secrets() {
		if isOf(s.api, kind) {
			s.keepIn = keepIn
			s.make = func() string { return "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" } // good for both
			return s
		}
	}
	return nil
}

func read(list string, kind cmapi.RegistrationKind, defaults cmapi.RegistrationInput, keepIn string) ([]device, error) {
	f := &cmdutil.Factory{Streams: &terminal.Streams{In: strings.NewReader(list)}}
	return readDevices(f, "-", wishes{kind: kind, defaults: defaults, secret: secretFor(kind, keepIn)})
}

func TestReadDevices(t *testing.T) {
	type in = cmapi.RegistrationInput
	const made = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	key, err := cmapi.ParseHMACKey(made)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		kind     cmapi.RegistrationKind
		list     string
		defaults in
		keepIn   string
		want     []device
	}{
		{"no such column", cmapi.SCEPRegistration, "fqdn,regtype\nr1,scep\n", in{}, "", nil},
		{"scep by flags and by the API's names", cmapi.SCEPRegistration,
			"FQDN,Validity,STATUS,IP-Address,email,serialnumber,password\n r1 , 7 ,Open,192.0.2.1,a@example.com,0A, pass word \n", in{}, "",
			[]device{{line: 2, in: in{FQDN: "r1", Validity: "7", Status: "open", IPAddress: "192.0.2.1", Email: "a@example.com", SerialNumber: "0A", Password: "pass word "}}}},
		{"what is given as a flag counts where a line is silent", cmapi.CMPRegistration,
			"fqdn,validity,password\nr1,,\nr2,8,own\n", in{Validity: "7", Status: "closed", Password: "all"}, "",
			[]device{{line: 2, in: in{FQDN: "r1", Validity: "7", Status: "closed", Password: "all"}}, {line: 3, in: in{FQDN: "r2", Validity: "8", Status: "closed", Password: "own"}}}},
		{"secrets are made where none is", cmapi.SCEPRegistration,
			"fqdn,password\nr1,\nr2,own\n", in{}, "made",
			[]device{{line: 2, in: in{FQDN: "r1"}, made: true}, {line: 3, in: in{FQDN: "r2", Password: "own"}}}},
		{"but not for a device with a certificate", cmapi.ESTRegistration,
			"fqdn,subject-cn,username\nr1,r1,\nr2,,u\n", in{}, "made",
			[]device{{line: 2, in: in{FQDN: "r1", SubjectCN: "r1"}}, {line: 3, in: in{FQDN: "r2", Username: "u"}, made: true}}},
		{"keys of acme", cmapi.ACMERegistration,
			"fqdn;hmackey;allowed-domains\nkey 1;" + made + "=;a.example,b.example\nkey 2;;\n", in{}, "made",
			[]device{{line: 2, in: in{FQDN: "key 1", HMACKey: key, AllowedDomains: "a.example,b.example"}}, {line: 3, in: in{FQDN: "key 2"}, made: true}}},
		{"devices", cmapi.GenericRegistration, "fqdn\n00:11:22\n", in{RegType: "device"}, "", []device{{line: 2, in: in{FQDN: "00:11:22", RegType: "device"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(c.list, c.kind, c.defaults, c.keepIn)
			if (err != nil) != (c.want == nil) || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

// FuzzDevices: no list makes the reader panic, sends what its kind does not
// have, or shows a cell.
func FuzzDevices(f *testing.F) {
	f.Add("fqdn,password\nr1,canary\nr1,canary\n,canary\n", byte(1))
	f.Add("canary1,canary2\ncanary3,canary4\n", byte(1))
	f.Add("fqdn;hmackey;hmac-key-file\nk1;canary;\nk2;;canary\n", byte(4))
	f.Add("fqdn\temail\tstatus\tvalidity\ncanary 1\tcanary\tcanary\tcanary\n", byte(1))
	f.Add("fqdn,username,realm,subject-cn,auth-ca,password\nr1,canary:,canary\x01,,canary\x02,canary\x03\n", byte(2))
	kinds := []cmapi.RegistrationKind{cmapi.GenericRegistration, cmapi.SCEPRegistration, cmapi.ESTRegistration, cmapi.CMPRegistration, cmapi.ACMERegistration}
	f.Fuzz(func(t *testing.T, list string, which byte) {
		kind := kinds[int(which)%len(kinds)]
		defaults := cmapi.RegistrationInput{}
		if kind == cmapi.GenericRegistration {
			defaults.RegType = "device"
		}
		devices, err := read(list, kind, defaults, "made")
		if err != nil {
			if exit.Of(err) != exit.Usage || strings.Contains(err.Error(), "canary") || strings.Contains(exit.HintOf(err), "canary") {
				t.Errorf("%v (%s)", err, exit.HintOf(err))
			}
			return
		}
		s := secretFor(kind, "made")
		for _, d := range devices {
			if d.made {
				if err := s.set(&d.in, s.make()); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := cmapi.NewCreateRegistration(kind, "p", d.in); err != nil {
				t.Errorf("line %d: %v", d.line, err)
			}
		}
	})
}

// The file of made secrets: whole before anything is sent, and what came of
// each line afterwards; never over another file.
func TestKeeper(t *testing.T) {
	devices := []device{
		{line: 2, in: cmapi.RegistrationInput{FQDN: "r1"}, made: true},
		{line: 3, in: cmapi.RegistrationInput{FQDN: "r2", Password: "own"}},
		{line: 4, in: cmapi.RegistrationInput{FQDN: `r"3`}, made: true},
	}
	result := func(o bulk.Outcome, id string) bulk.Result {
		return bulk.Result{Outcome: o, ID: id}
	}
	content := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			return err.Error()[strings.LastIndex(err.Error(), ":")+2:]
		}
		if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
			return st.Mode().String()
		}
		return string(data)
	}
	f := &cmdutil.Factory{}
	const made = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	const before = "line,fqdn,regid,outcome,password\n2,r1,,," + made + "\n3,r2,,,\n4,\"r\"\"3\",,," + made + "\n"
	for _, c := range []struct {
		name          string
		devices       []device
		list          bool
		results       []bulk.Result
		goesOn        []int // by index, what is open
		before, after string
	}{
		{"a list", devices, true, []bulk.Result{result(bulk.Done, "a"), result(bulk.Done, "b"), result(bulk.Unknown, "")}, nil, before,
			"line,fqdn,regid,outcome,password\n2,r1,a,done," + made + "\n3,r2,b,done,\n4,\"r\"\"3\",,unknown," + made + "\n"},
		{"a list that stopped", devices, true, []bulk.Result{result(bulk.Done, "a"), result(bulk.Failed, ""), result(bulk.Skipped, "")}, nil, before,
			"line,fqdn,regid,outcome,password\n2,r1,a,done," + made + "\n3,r2,,failed,\n4,\"r\"\"3\",,skipped,\n"},
		{"a list that stopped and can be gone on with", devices, true, []bulk.Result{result(bulk.Failed, ""), result(bulk.Done, "b"), result(bulk.Skipped, "")}, []int{2}, before,
			"line,fqdn,regid,outcome,password\n2,r1,,failed,\n3,r2,b,done,\n4,\"r\"\"3\",,skipped," + made + "\n"},
		{"a list of which one failed by what stopped it", devices, true, []bulk.Result{result(bulk.Failed, ""), result(bulk.Done, "b"), result(bulk.Skipped, "")}, []int{0, 2}, before,
			"line,fqdn,regid,outcome,password\n2,r1,,failed," + made + "\n3,r2,b,done,\n4,\"r\"\"3\",,skipped," + made + "\n"},
		{"a list of which no made secret is in use", devices, true, []bulk.Result{result(bulk.Failed, ""), result(bulk.Done, "b"), result(bulk.Skipped, "")}, nil, before, "no such file or directory"},
		{"one", devices[:1], false, []bulk.Result{result(bulk.Done, "a")}, nil, made + "\n", made + "\n"},
		{"one whose fate is open", devices[:1], false, []bulk.Result{result(bulk.Unknown, "")}, nil, made + "\n", made + "\n"},
		{"one that was refused", devices[:1], false, []bulk.Result{result(bulk.Failed, "")}, nil, made + "\n", "no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "made")
			k, err := newKeeper(f, secretFor(cmapi.SCEPRegistration, path), c.devices, c.list)
			if err != nil {
				t.Fatal(err)
			}
			defer k.discard()
			if err := k.save(c.devices); err != nil || content(path) != c.before {
				t.Errorf("before: %s, %v", content(path), err)
			}
			if _, err := newKeeper(f, secretFor(cmapi.SCEPRegistration, path), c.devices, c.list); exit.Of(err) != exit.Usage {
				t.Errorf("a second file of that name: %v", err)
			}
			if err := k.finish(c.devices, c.results, func(i int) bool { return slices.Contains(c.goesOn, i) }); err != nil || content(path) != c.after {
				t.Errorf("after: %s, %v", content(path), err)
			}
		})
	}
	t.Run("nothing made", func(t *testing.T) {
		k, err := newKeeper(f, secretFor(cmapi.SCEPRegistration, filepath.Join(t.TempDir(), "none", "made")), devices[1:2], true)
		if k != nil || err != nil || k.save(nil) != nil || k.finish(nil, nil, nil) != nil {
			t.Errorf("%v %v", k, err)
		}
	})
	t.Run("never sent", func(t *testing.T) {
		dir := t.TempDir()
		k, err := newKeeper(f, secretFor(cmapi.SCEPRegistration, filepath.Join(dir, "made")), devices, true)
		if err != nil {
			t.Fatal(err)
		}
		k.discard()
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}
