package cmapi

// maxDepth is how deep lists and objects may lie in each other, as for
// encoding/json.
const maxDepth = 10000

// valid is json.Valid at twice its speed: every page of a listing passes
// through it. What it refuses is given to encoding/json, which says why.
func valid(raw []byte) bool {
	i := checkValue(raw, skipSpace(raw, 0), 0)
	return i > 0 && skipSpace(raw, i) == len(raw)
}

// checkValue is where the value that begins at i ends, 0 when it is not valid.
func checkValue(raw []byte, i, depth int) int {
	if i >= len(raw) || depth > maxDepth {
		return 0
	}
	switch raw[i] {
	case '"':
		return checkString(raw, i)
	case '{':
		return checkList(raw, i, depth, '}')
	case '[':
		return checkList(raw, i, depth, ']')
	case 't':
		return checkWord(raw, i, "true")
	case 'f':
		return checkWord(raw, i, "false")
	case 'n':
		return checkWord(raw, i, "null")
	}
	return checkNumber(raw, i)
}

// checkList reads an object or an array, which end says.
func checkList(raw []byte, i, depth int, end byte) int {
	i = skipSpace(raw, i+1)
	if i < len(raw) && raw[i] == end {
		return i + 1
	}
	for {
		if end == '}' {
			if i >= len(raw) || raw[i] != '"' {
				return 0
			}
			if i = checkString(raw, i); i == 0 {
				return 0
			}
			if i = skipSpace(raw, i); i >= len(raw) || raw[i] != ':' {
				return 0
			}
			i = skipSpace(raw, i+1)
		}
		if i = checkValue(raw, i, depth+1); i == 0 {
			return 0
		}
		if i = skipSpace(raw, i); i >= len(raw) {
			return 0
		}
		switch raw[i] {
		case end:
			return i + 1
		case ',':
			i = skipSpace(raw, i+1)
		default:
			return 0
		}
	}
}

func checkString(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return 0
		case c == '\\':
			if i++; i >= len(raw) {
				return 0
			}
			switch raw[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i >= len(raw) || !isHex(raw[i]) {
						return 0
					}
				}
			default:
				return 0
			}
		}
	}
	return 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func checkWord(raw []byte, i int, word string) int {
	if end := i + len(word); end <= len(raw) && string(raw[i:end]) == word {
		return end
	}
	return 0
}

func checkNumber(raw []byte, i int) int {
	digits := func() bool {
		start := i
		for i < len(raw) && '0' <= raw[i] && raw[i] <= '9' {
			i++
		}
		return i > start
	}
	if raw[i] == '-' {
		i++
	}
	first := i
	if !digits() || raw[first] == '0' && i > first+1 {
		return 0
	}
	if i < len(raw) && raw[i] == '.' {
		if i++; !digits() {
			return 0
		}
	}
	if i < len(raw) && (raw[i] == 'e' || raw[i] == 'E') {
		if i++; i < len(raw) && (raw[i] == '+' || raw[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}
