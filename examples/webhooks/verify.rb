# Verifies a Fovea webhook (Standard Webhooks) with Ruby's standard library.
require "base64"
require "json"
require "openssl"

# The event. Raises ArgumentError if no signature is valid or the timestamp is off by more than five minutes.
def verify(secret, headers, body)
  id, timestamp, signatures = headers.values_at("webhook-id", "webhook-timestamp", "webhook-signature")
  unless timestamp.match?(/\A\d+\z/) && (Time.now.to_i - timestamp.to_i).abs <= 300
    raise ArgumentError, "timestamp is too old or too new"
  end
  key = Base64.strict_decode64(secret.delete_prefix("whsec_"))
  expected = "v1," + Base64.strict_encode64(OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b))
  right = signatures.split.any? { |given| OpenSSL.secure_compare(given, expected) }
  raise ArgumentError, "no valid signature" unless right

  JSON.parse(body)
end

if __FILE__ == $PROGRAM_NAME
  # A CGI program: headers in the environment, the unchanged body on standard input.
  headers = %w[webhook-id webhook-timestamp webhook-signature].to_h do |name|
    [name, ENV.fetch("HTTP_" + name.upcase.tr("-", "_"), "")]
  end
  begin
    puts verify(ENV.fetch("WEBHOOK_SECRET"), headers, $stdin.binmode.read)["data"]["job_id"]
  rescue ArgumentError => error
    abort error.message
  end
end
