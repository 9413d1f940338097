package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

var (
	givenNames = []string{"Anna", "Erik", "Maria", "Lars", "Karin", "Björn", "Åsa", "Zoë", "José", "Siobhán", "Małgorzata", "Chloé",
		"Giulia", "Jürgen", "Eleni", "Ivan", "Yuki", "Fatima", "Olu", "Priya"}
	surnames = []string{"Andersson", "Berg", "Öberg", "Lindström", "Ångström", "O'Neill", "García", "Müller", "Nowak", "Dubois",
		"Rossi", "Papadopoulos", "Sørensen", "Virtanen", "de Vries", "Smith-Jones", "Çelik", "Tanaka", "Okafor", "Iyer"}
	organisations = []struct{ name, country string }{
		{"Demo", "SE"}, {"Northwind Energy", "SE"}, {"Åkerlund & Söner AB", "SE"}, {"Fjord Shipping AS", "NO"}, {"Suomen Sähkö Oy", "FI"},
		{"Nordlicht GmbH", "DE"}, {"Crédit du Rhône", "FR"}, {"Rossi S.p.A.", "IT"}, {"Wisła Logistyka", "PL"}, {"Shamrock Health", "IE"},
		{"Contoso Pharma", "US"}, {"さくら銀行", "JP"},
	}
	units = []string{"Finance", "Human Resources", "IT Operations", "Research", "Sales", "Säkerhet", "Legal", "Logistics"}
	sites = []string{"Stockholm", "Göteborg", "Oslo", "Berlin", "Lyon", "Kraków"}

	// hostileValues are what a name may hold that terminals, tables and
	// spreadsheets do not expect.
	hostileValues = []string{
		"\x1b[31mred\x1b[0m \x1b]0;title\x07",
		"tab\tin the middle",
		"two\nlines",
		"right \u202eot tfel\u202c marks \u200f\u200e\u2066",
		`quoted "name" 'twice' ` + "`thrice`",
		"commas, semicolons; plus+ equals= <angles> #hash",
		strings.Repeat("very long name ", 20) + "end",
		"日本語 العربية Ελληνικά 🙂 e\u0301",
		"=cmd|'/C calc'!A0",
		" blanks around ",
		"carriage\r\nreturn and \u009b31mC1",
		`back\slash \, and \n`,
	}
)

// person names the certificate after somebody.
func (p seedPlan) person(c *Cert, r *rand.Rand) {
	c.GivenName, c.Surname = pick(r, givenNames), pick(r, surnames)
	c.CN = c.GivenName + " " + c.Surname
	c.SubjectSerial = fmt.Sprintf("%04d%02d%02d-%04d", 1950+r.IntN(55), 1+r.IntN(12), 1+r.IntN(28), r.IntN(10000))
	if r.IntN(2) == 0 {
		c.CardSerial = fmt.Sprintf("9752%014d", c.ID)
	}
	c.KeyUsage = []string{"digitalSignature", "clientAuth", "emailProtection"}
	p.employer(c, r)
}

// device names the certificate after a machine; its name is nobody else's.
func (p seedPlan) device(c *Cert, r *rand.Rand) {
	c.CN = fmt.Sprintf("device-%07d.demo.example", c.ID)
	c.KeyUsage = []string{"digitalSignature", "keyEncipherment", "serverAuth", "clientAuth"}
	p.employer(c, r)
}

func (p seedPlan) employer(c *Cert, r *rand.Rand) {
	org := organisations[r.IntN(len(organisations))]
	c.Org, c.Country, c.OU = org.name, org.country, pick(r, units)
	c.Fields = [6]string{fmt.Sprintf("cost centre %d", 100+r.IntN(900)), fmt.Sprintf("E%08d", c.ID), pick(r, sites)}
	switch r.IntN(10) {
	case 0:
		c.Fields[3] = "contractor"
	case 1:
		c.Fields[4] = "Växjö rollout"
	case 2:
		c.Fields[5] = "migrated"
	}
}

// hostileText puts a value into one of the fields that are shown most.
func hostileText(c *Cert, k int) {
	value := hostileValues[k%len(hostileValues)]
	switch k / len(hostileValues) % 3 {
	case 0:
		c.CN = value
	case 1:
		c.Org = value
	case 2:
		c.OU = value
	}
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }
