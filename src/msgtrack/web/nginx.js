// Verifies stateless links and says where they lead: clauses T5 to T11 and T15a of msgtrack's docs/spec/tokens.md.
// Whatever is not plainly one of them (damage, values, expiry, concealed ids, another alphabet) goes to @msgtrack.
// Written for njs 0.7 and later; runs in js_content.

import crypto from 'crypto';
import keys from 'msgtrack_keys.js';

var ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
var SCHEMES = ['', 'https://', 'http://', 'https://www.', 'http://www.'];
// What stands as it is in Location; all else is percent-encoded, byte by byte.
var PLAIN = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~/%:=&?#+!$,;\'@()*[]';
var SHAPE = /^\/([0-9a-z.-]{22,})(?:\/([0-9a-z.-]+))?(?:\?.*)?$/;
var HEX = '0123456789ABCDEF';

function number(text) {
    var value = 0;
    for (var i = 0; i < text.length; i++) {
        var digit = ALPHABET.indexOf(text[i]);
        if (digit < 0) {
            return -1;
        }
        value = value * 32 + digit;
    }
    return text.length ? value : -1;
}

function signature(text, key) {
    var hex = crypto.createHmac('sha256', Buffer.from(key, 'hex')).update(text).digest('hex');
    var signed = '';
    for (var i = 0; i < 32; i += 2) {
        signed += ALPHABET[parseInt(hex.substr(i, 2), 16) & 31];
    }
    return signed;
}

function same(one, other) {
    var differs = one.length ^ other.length;
    for (var i = 0; i < one.length; i++) {
        differs |= one.charCodeAt(i) ^ other.charCodeAt(i);
    }
    return differs === 0;
}

// The bytes of base32, percent-encoded where Location needs it; null where they are not ours to write.
function destination(text) {
    var scheme = SCHEMES[ALPHABET.indexOf(text[0])];
    if (!scheme) {
        return null;
    }
    var bits = 0, held = 0, out = '', inHost = true;
    for (var i = 1; i < text.length; i++) {
        var digit = ALPHABET.indexOf(text[i]);
        if (digit < 0) {
            return null;
        }
        held = (held << 5 | digit) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            var byte = held >> bits & 0xff;
            var letter = String.fromCharCode(byte);
            if (inHost && (byte > 126 || byte < 33 || letter === '%')) {
                return null;
            }
            if (letter === '/' || letter === '?' || letter === '#') {
                inHost = false;
            }
            if (byte === 0) {
                return null;
            }
            out += byte < 128 && PLAIN.indexOf(letter) >= 0 ? letter : '%' + HEX[byte >> 4] + HEX[byte & 15];
        }
    }
    return /^[0-9A-Za-z]/.test(out) ? scheme + out : null;
}

function target(link) {
    var text = link.slice(0, -16), said = link.slice(-16), head = number(link.slice(0, 3));
    if (head < 0 || head >> 13 !== 0) {
        return null;
    }
    var known = keys[head >> 6 & 127] || [], holds = false;
    for (var i = 0; i < known.length; i++) {
        holds = same(signature(text, known[i]), said) || holds;
    }
    var fields = text.slice(3).split('-');
    if (!holds || fields.length < 3) {
        return null;
    }
    if (fields.length > 3 && fields[3] !== '' && number(fields[3]) <= Date.now() / 1000) {
        return null;
    }
    return destination(fields[2]);
}

function redirect(r) {
    var parts = SHAPE.exec(r.variables.request_uri), url = null;
    if (parts && (r.method === 'GET' || r.method === 'HEAD')) {
        // A message part with an expiry of its own, or with values, is for who can read it; a variant stands behind an
        // expiry, which may be empty.
        var message = parts[2] || '', fields = message.split('-');
        if (message.indexOf('.-') < 0 && (fields.length <= 2 || fields.length === 4 && fields[2] === '')) {
            url = target(parts[1]);
        }
    }
    if (url === null) {
        r.internalRedirect('@msgtrack');
    } else {
        r.return(302, url);
    }
}

export default {redirect};
