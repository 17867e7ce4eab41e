# Verifies a webhook of Fovea (Standard Webhooks) with nothing but Ruby's own library.
require "base64"
require "json"
require "openssl"

# The event. Raises ArgumentError when it is forged, changed, or older than five minutes.
def verify(secret, headers, body)
  id, timestamp, signatures = headers.values_at("webhook-id", "webhook-timestamp", "webhook-signature")
  unless timestamp.match?(/\A\d+\z/) && (Time.now.to_i - timestamp.to_i).abs <= 300
    raise ArgumentError, "not of now"
  end
  key = Base64.strict_decode64(secret.delete_prefix("whsec_"))
  expected = "v1," + Base64.strict_encode64(OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b))
  right = signatures.split.any? { |given| OpenSSL.secure_compare(given, expected) }
  raise ArgumentError, "no signature is right" unless right

  JSON.parse(body)
end

if __FILE__ == $PROGRAM_NAME
  # As a CGI program gets a request: headers in the environment, the body exactly as it came on standard input.
  headers = %w[webhook-id webhook-timestamp webhook-signature].to_h do |name|
    [name, ENV.fetch("HTTP_" + name.upcase.tr("-", "_"), "")]
  end
  begin
    puts verify(ENV.fetch("WEBHOOK_SECRET"), headers, $stdin.binmode.read)["data"]["job_id"]
  rescue ArgumentError => error
    abort error.message
  end
end
