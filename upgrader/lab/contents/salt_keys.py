"""Keys made before the nodes start: the master knows every minion from its first second, so nobody accepts anything."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

# Salt's own default is 2048; more costs seconds at every start of a lab and protects nothing in it.
BITS = 2048


@dataclass(frozen=True, repr=False)
class KeyPair:
    """PEM texts, or OpenSSH texts for ssh. Not shown by repr: the first one is a secret."""

    private: str
    public: str


def salt_key_pair() -> KeyPair:
    """An RSA pair in the formats that Salt writes itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private.decode(), public.decode())


def ssh_key_pair() -> KeyPair:
    """An ed25519 pair, for sshd or for a client of it."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return KeyPair(private.decode(), public.decode() + "\n")
