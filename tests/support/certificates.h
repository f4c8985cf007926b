// An authority and certificates by it, made on the spot, for tests of TLS.
#pragma once

#include <string>

namespace kith::testing {

// PEM files.
struct Identity {
  std::string cert;
  std::string key;
};

// A folder of its own, which goes with it. Throws where something fails.
class Certificates {
 public:
  enum Validity { kGood, kExpired };

  Certificates();
  ~Certificates();
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  // For servers on 127.0.0.1 and localhost, and for clients: `name`.cert.pem and `name`.key.pem in the folder, in the
  // place of what has these names. The key is on an elliptic curve, or RSA of so many bits.
  Identity Make(const std::string& name, Validity validity = kGood, int rsa_bits = 0) const;

  std::string ca() const { return folder_ + "/ca.pem"; }  // the authority's certificate
  const std::string& folder() const { return folder_; }

  static std::string Read(const std::string& path);

 private:
  struct Authority;
  std::string folder_;
  Authority* authority_;
};

}  // namespace kith::testing
