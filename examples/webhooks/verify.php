<?php
// Verifies a webhook of Fovea (Standard Webhooks) with nothing but PHP's own functions.

/** The event. Throws InvalidArgumentException when it is forged, changed, or older than five minutes. */
function verify(string $secret, array $headers, string $body): array
{
    ['webhook-id' => $id, 'webhook-timestamp' => $timestamp, 'webhook-signature' => $signatures] = $headers;
    if (!preg_match('/^\d+$/D', $timestamp) || abs(time() - (int) $timestamp) > 300) {
        throw new InvalidArgumentException('not of now');
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $signatures) as $given) {
        if (hash_equals($expected, $given)) {
            return json_decode($body, true, 512, JSON_THROW_ON_ERROR);
        }
    }
    throw new InvalidArgumentException('no signature is right');
}

// As a CGI program gets a request: headers in the environment, the body exactly as it came (`php://input` under a server).
if (PHP_SAPI === 'cli') {
    $headers = [];
    foreach (['webhook-id', 'webhook-timestamp', 'webhook-signature'] as $name) {
        $headers[$name] = (string) getenv('HTTP_' . strtoupper(strtr($name, '-', '_')));
    }
    try {
        echo verify((string) getenv('WEBHOOK_SECRET'), $headers, file_get_contents('php://stdin'))['data']['job_id'], "\n";
    } catch (InvalidArgumentException $error) {
        fwrite(STDERR, $error->getMessage() . "\n");
        exit(1);
    }
}
