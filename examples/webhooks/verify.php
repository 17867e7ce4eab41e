<?php
// Verifies a Fovea webhook (Standard Webhooks) with PHP's built-in functions.

/** The event. Throws InvalidArgumentException if no signature is valid or the timestamp is off by more than five minutes. */
function verify(string $secret, array $headers, string $body): array
{
    ['webhook-id' => $id, 'webhook-timestamp' => $timestamp, 'webhook-signature' => $signatures] = $headers;
    if (!preg_match('/^\d+$/D', $timestamp) || abs(time() - (int) $timestamp) > 300) {
        throw new InvalidArgumentException('timestamp is too old or too new');
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $signatures) as $given) {
        if (hash_equals($expected, $given)) {
            return json_decode($body, true, 512, JSON_THROW_ON_ERROR);
        }
    }
    throw new InvalidArgumentException('no valid signature');
}

// A CGI program: headers in the environment, the unchanged body on standard input (in a web server: `php://input`).
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
