int cvips_placeholder(void);
